import { describe, expect, test } from "bun:test";
import type { Handler, Plugin } from "../../../../core/api/types.ts";
import { forwardThrough } from "../../../../plugins/forward.ts";
import { proxyProtocol } from "../../../../plugins/middleware/proxy_protocol.ts";
import { tcpOnly } from "../../../plugins/forward/fake_targets.ts";
import { socketPair } from "../../../support/fake_socket.ts";
import { bytes, codeOf, StackPair } from "../stack_pair.ts";

/** A plugin that acquires a resource for each connection before the SYN is answered. */
function preparing(): { plugin: Plugin; signals: AbortSignal[]; served: number[] } {
  const signals: AbortSignal[] = [];
  const served: number[] = [];
  const onSyn: Plugin["onSyn"] = ({ signal, remote }) => {
    signals.push(signal);
    return async ({ socket }) => {
      served.push(remote.port);
      await socket.read(new Uint8Array(1));
    };
  };
  return { plugin: { name: "preparing", onSyn }, signals, served };
}

describe("Syn.signal", () => {
  // Earlier middleware drops the connection, so the handler from onSyn never runs.
  test("is aborted at the end of a connection whose handler never ran", async () => {
    await using pair = new StackPair();
    const { plugin, signals, served } = preparing();
    const dropping: Handler = async ({ socket }) => void await socket.read(new Uint8Array(1));
    pair.server.use(7, dropping, plugin);
    const client = pair.client.connect("10.0.0.2:7");
    await pair.run(client.opened);
    await pair.clock.advance(1000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await client.write(bytes("x"));
    await pair.run(client.close());
    await pair.clock.advance(10);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(served).toEqual([]);
  });

  // Not aborted while the handler runs; afterwards it is harmless.
  test("is not aborted while the handler runs", async () => {
    await using pair = new StackPair();
    const { plugin, signals, served } = preparing();
    pair.server.use(7, plugin);
    const client = pair.client.connect("10.0.0.2:7");
    await pair.run(client.opened);
    await pair.clock.advance(60_000);
    expect([signals[0]!.aborted, served.length]).toEqual([false, 1]);
    client.abort();
    await pair.clock.advance(10);
    expect(signals[0]!.aborted).toBe(true);
  });

  // A malformed PROXY header: the connection of forward to its target is reset, not leaked.
  test("releases forward's target when middleware drops the connection", async () => {
    await using pair = new StackPair();
    const { client: upstream, server: target } = socketPair();
    const forward = forwardThrough(tcpOnly(() => Promise.resolve(upstream)));
    const trusted = proxyProtocol({ trusted: ["10.0.0.0/8"] });
    pair.server.use(7, trusted, forward({ to: "127.0.0.1:1" }));
    const client = pair.client.connect("10.0.0.2:7");
    await client.write(bytes("GET / HTTP/1.1\r\n\r\n"));
    expect(await pair.run(codeOf(client.closed))).toBe("CONNECTION_RESET");
    expect(await pair.run(codeOf(target.read(new Uint8Array(1))))).toBe("CONNECTION_RESET");
  });
});
