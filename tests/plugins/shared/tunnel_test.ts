import { describe, expect, test } from "bun:test";
import { TcpError } from "../../../core/api/errors.ts";
import { Outbound } from "../../../plugins/shared/outbound.ts";
import type { Duplex } from "../../../plugins/shared/relay.ts";
import { tunnel, type TunnelProxy } from "../../../plugins/shared/tunnel.ts";
import { bytes, textOf } from "../../support/conversation.ts";
import { settle, socketPair, testContext } from "../../support/fake_socket.ts";
import { proxyHost } from "../../support/proxy.ts";

const options = {
  via: "host",
  allow: [],
  deny: [],
  connectTimeoutMs: 1000,
  keepAliveMs: 0,
  maxConnections: 10,
} as const;
const TARGET = { hostname: "192.0.2.1", port: 80 };

function start(dial?: () => Promise<Duplex>, bufferSize?: number) {
  const network = proxyHost(dial && { dial });
  const proxy: TunnelProxy = {
    name: "gate",
    outbound: new Outbound(options, network.host),
    connected: bytes("welcome "),
    refusal: (fault) => bytes(fault),
  };
  const { client, server } = socketPair(bufferSize === undefined ? {} : { bufferSize });
  const { context, lines } = testContext(server);
  return { ...network, client, server, lines, served: tunnel(proxy, TARGET, server, context) };
}

describe("tunnel", () => {
  // The proxy's reply comes first, then the target's bytes.
  test("replies to the client before it relays", async () => {
    const { client, target, served } = start();
    await client.write(bytes("question"));
    await client.closeWrite();
    expect(await textOf(target)).toBe("question");
    await target.write(bytes("answer"));
    await target.closeWrite();
    expect(await textOf(client)).toBe("welcome answer");
    await served;
  });

  // The reply gives the reason.
  test("tells the client why there is no connection", async () => {
    const { client, server, served, lines } = start(() =>
      Promise.reject(new TcpError("CONNECTION_REFUSED", "no"))
    );
    await served;
    await server.close();
    expect(await textOf(client)).toBe("refused");
    expect(lines.map(({ message }) => message)).toEqual(["gate: not connected"]);
  });

  // The target was connected, but the client left without reading the reply.
  test("resets the target when the client leaves before the reply", async () => {
    const { client, upstream, served, lines } = start(undefined, 3);
    await settle();
    expect(client.peer!.unreadByPeer).toBe(3);
    client.abort();
    await served;
    expect(upstream.ending).toBe("abort");
    expect(lines.map(({ message }) => message)).toEqual(["gate: connection broke"]);
  });
});
