import { afterEach, describe, expect, test } from "bun:test";
import { addDevice, addPort } from "../../../adapters/host/stack_routes.ts";
import { connectProxy } from "../../../adapters/plugins/connect_proxy.ts";
import { socks5 } from "../../../adapters/plugins/socks5.ts";
import { Subnet } from "../../../core/wire/address.ts";
import { testNetwork } from "../../../adapters/testing/test_network.ts";

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()));

/** Addresses behind devices of this process, and ports of the host that are published. */
function lead(): void {
  const own = ["10.93.0.0/24", "fd93::/64"].map((text) => Subnet.parse(text)!);
  const to = { hostname: "10.0.0.1", port: 1080 };
  cleanups.push(
    addDevice((address) => own.some((subnet) => subnet.contains(address))),
    addPort("tcp", { hostname: "127.0.0.1", port: 21_508 }, to),
    addPort("tcp", { hostname: "::", port: 21_509 }, to),
  );
}

/** Each way to name them; loopback is allowed in the test, so that it is not refused for that. */
const TARGETS = [
  ["10.93.0.2", 80],
  ["10.93.0.2", 1080],
  ["10.93.0.77", 1],
  ["fd93::2", 443],
  ["::ffff:10.93.0.2", 80],
  ["127.0.0.1", 21_508],
  ["localhost", 21_509],
  ["127.0.0.1", 21_509],
  ["::1", 21_509],
] as const;
const OPTIONS = { allow: ["127.0.0.0/8", "::1"] };

/** What the server answers to bytes. */
async function answerTo(
  plugin: ReturnType<typeof socks5>,
  ...parts: Uint8Array[]
): Promise<Uint8Array> {
  await using network = testNetwork();
  network.server.use(1080, plugin);
  const { socket } = await network.connect(1080);
  for (const part of parts) await network.run(socket.write(part).then(() => {}));
  const chunk = new Uint8Array(200);
  let length = 0;
  while (length < chunk.length) {
    const count = await network.run(socket.read(chunk.subarray(length)));
    if (count === null) break;
    length += count;
  }
  return chunk.subarray(0, length);
}

const encode = (text: string) => new TextEncoder().encode(text);

describe("a proxy through the host", () => {
  // By the route to a device of a stack here, and by a published port: 403, and nothing is dialled.
  test.each(TARGETS)(
    "connectProxy refuses %s port %d, which leads back to it",
    async (host, port) => {
      lead();
      const target = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
      const request = encode(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
      const answer = new TextDecoder().decode(await answerTo(connectProxy(OPTIONS), request));
      expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    },
  );

  // The reply is "connection not allowed" (RFC 1928 6).
  test.each(TARGETS)("socks5 refuses %s port %d, which leads back to it", async (host, port) => {
    lead();
    const request = Uint8Array.from(
      [5, 1, 0, 3, host.length, ...encode(host), port >> 8, port & 0xff],
    );
    const answer = await answerTo(socks5(OPTIONS), Uint8Array.of(5, 1, 0), request);
    expect([...answer.subarray(0, 4)]).toEqual([5, 0, 5, 2]);
  });
});
