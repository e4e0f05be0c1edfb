import { describe, expect, test } from "bun:test";
import type { Handler, TcpSocket } from "../../../core/api/types.ts";
import {
  proxyProtocol,
  type ProxyProtocolOptions,
} from "../../../plugins/middleware/proxy_protocol.ts";
import { formatProxyHeader, type ProxyEndpoints } from "../../../plugins/shared/proxy_header.ts";
import { bytes, codeOf, readText, StackPair } from "../../core/api/stack_pair.ts";
import { ask, attempt, dial, timersLeft } from "./support.ts";

const endpoints: ProxyEndpoints = {
  transport: "tcp",
  source: { hostname: "2001:db8::7", port: 4711 },
  destination: { hostname: "2001:db8::80", port: 80 },
};
const PROXY = ["10.0.0.0/24"];

/** Sends the remote and local address, then echoes. */
const mirror: Handler = async ({ socket }) => {
  const { remoteAddress, localAddress } = await socket.opened;
  await socket.write(bytes(`${remoteAddress} ${localAddress} ${await readText(socket)}`));
};

function serving(options: Partial<ProxyProtocolOptions> = {}): StackPair {
  const pair = new StackPair();
  pair.server.use(80, proxyProtocol({ trusted: PROXY, ...options }), mirror);
  return pair;
}

/** Sends a header and text at once, or byte by byte. */
async function say(pair: StackPair, header: Uint8Array, pieces: number): Promise<TcpSocket> {
  const client = dial(pair, 80);
  const all = new Uint8Array([...header, ...bytes("ahoy")]);
  const size = Math.ceil(all.length / pieces);
  for (let at = 0; at < all.length; at += size) {
    await client.write(all.subarray(at, at + size));
    await pair.clock.advance(1);
  }
  await client.closeWrite();
  return client;
}

function dropped(pair: StackPair): unknown[] {
  return pair.lines.filter(({ message }) => message === "connection dropped")
    .map(({ level, fields }) => [level, fields!["reason"]]);
}

describe("proxyProtocol", () => {
  // In one segment with data, or in many: the handler sees the client's address and every byte.
  test.each([[1, 1], [1, 60], [2, 1], [2, 60]])(
    "removes a version %i header, in %i segments",
    async (version: number, pieces: number) => {
      await using pair = serving();
      const header = formatProxyHeader({ version: version as 1 | 2, endpoints });
      const client = await say(pair, header, pieces);
      expect(await pair.run(readText(client)))
        .toBe("[2001:db8::7]:4711 [2001:db8::80]:80 ahoy");
      expect(pair.lines).toEqual([]);
    },
  );

  // LOCAL, or a header for datagrams: the connection's own addresses apply.
  test("keeps the addresses if the header has none", async () => {
    await using pair = serving();
    const udp: ProxyEndpoints = { ...endpoints, transport: "udp" };
    for (
      const header of [
        formatProxyHeader({ version: 1 }),
        formatProxyHeader({ version: 2 }),
        formatProxyHeader({ version: 2, endpoints: udp }),
      ]
    ) {
      const client = await say(pair, header, 1);
      expect(await pair.run(readText(client))).toMatch(/^10\.0\.0\.1:\d+ 10\.0\.0\.2:80 ahoy$/);
    }
  });

  // Clients with no header, or an incomplete one, are refused.
  test.each([
    ["GET / HTTP/1.1\r\n\r\n", "proxy-header-signature"],
    ["PROXY TCP4 1.2.3.4\r\n", "proxy-header-syntax"],
    ["PROXY TCP4 1.2.3.4 ", "proxy-header-cut"],
    [`PROXY UNKNOWN ${"x".repeat(5000)}`, "proxy-header-length"],
  ])("aborts a connection that begins with %j", async (text: string, reason: string) => {
    await using pair = serving();
    expect(await codeOf(ask(pair, 80, text))).toBe("CONNECTION_RESET");
    expect(dropped(pair)).toEqual([["info", reason]]);
    expect(pair.lines.some(({ level }) => level === "error")).toBe(false);
  });

  // A health check that connects and disconnects is not an error.
  test("closes a connection that ends before the header", async () => {
    await using pair = serving();
    expect(await ask(pair, 80, "")).toBe("");
    expect(pair.lines).toEqual([]);
  });

  // A slow header does not extend the timeout.
  test("aborts if the header is not received in time", async () => {
    await using pair = serving({ timeoutMs: 2000 });
    const client = dial(pair, 80);
    await client.write(bytes("PROXY TC"));
    expect(await pair.run(codeOf(client.closed))).toBe("CONNECTION_RESET");
    expect(Math.round(pair.clock.now() / 100)).toBe(20);
    expect(dropped(pair)).toEqual([["info", "proxy-header-late"]]);
  });

  // A reset while the header is read is not an error.
  test("logs nothing if the peer disconnects", async () => {
    await using pair = serving();
    const client = dial(pair, 80);
    await client.write(bytes("PROXY"));
    await pair.clock.advance(10);
    client.abort();
    await pair.clock.advance(10);
    expect(pair.lines).toEqual([]);
    expect(await timersLeft(pair)).toBe(0);
  });

  // Headers can be forged, so only trusted proxies may connect.
  test("refuses or ignores others before the handshake", async () => {
    await using pair = serving({ trusted: ["192.0.2.0/24"] });
    pair.server.use(81, proxyProtocol({ trusted: ["192.0.2.0/24"], others: "ignore" }), mirror);
    expect(await attempt(pair, "10.0.0.2:80")).toBe("CONNECTION_REFUSED");
    expect(await attempt(pair, "10.0.0.2:81")).toBe("silence");
  });

  // Other clients do not need a header.
  test("serves other clients directly if configured", async () => {
    await using pair = serving({ trusted: ["192.0.2.0/24"], others: "pass" });
    const header = new TextDecoder().decode(formatProxyHeader({ version: 1, endpoints }));
    expect(await ask(pair, 80, header)).toMatch(/^10\.0\.0\.1:\d+ 10\.0\.0\.2:80 PROXY TCP6/);
  });

  test("requires trusted proxies", () => {
    // @ts-expect-error -- trusted is required
    expect(() => proxyProtocol()).toThrow(/^proxyProtocol: options\.trusted: /);
    expect(() => proxyProtocol({ trusted: ["proxy"] })).toThrow(
      'proxyProtocol: options.trusted.0: expected an address or a subnet such as 10.0.0.0/8 or fd00::/8, got "proxy"',
    );
  });
});
