import { describe, expect, test } from "bun:test";
import { echo } from "../../../../plugins/echo.ts";
import { deny } from "../../../../plugins/middleware/access.ts";
import type { Plugin, TcpSocket } from "../../../../core/api/types.ts";
import { bytes, codeOf, StackPair } from "../stack_pair.ts";

const decoder = new TextDecoder();

/** Answers each read with its name; records whether it was disposed. */
class Named implements Plugin {
  readonly name: string;
  disposed = 0;

  constructor(name: string) {
    this.name = name;
  }

  handle: NonNullable<Plugin["handle"]> = async ({ socket }) => {
    for await (const _ of socket) await socket.write(bytes(this.name));
  };

  flow: NonNullable<Plugin["flow"]> = async ({ flow }) => {
    for await (const _ of flow) await flow.send(bytes(this.name));
  };

  dispose(): void {
    this.disposed++;
  }
}

/** Also decides about the SYN, which takes a turn of the event loop. */
class Deciding extends Named {
  async onSyn(): Promise<void> {
    await Promise.resolve();
  }
}

/** Sends a byte; returns the name of the plugin that answers. */
async function ask(pair: StackPair, socket: TcpSocket): Promise<string> {
  await pair.run(socket.write(bytes("?")));
  const answer = new Uint8Array(64);
  const count = await pair.run(socket.read(answer));
  return count === null ? "the end" : decoder.decode(answer.subarray(0, count));
}

function connect(pair: StackPair, port = 7): TcpSocket {
  return pair.client.connect({ hostname: "10.0.0.2", port }, { allowHalfOpen: true });
}

describe("replace", () => {
  // A connects, the plugin is replaced, B connects: A is served as before, B by the new plugin.
  test("serves new connections, and leaves running ones alone", async () => {
    await using pair = new StackPair();
    const binding = pair.server.use(7, new Named("old"));
    const before = connect(pair);
    expect(await ask(pair, before)).toBe("old");
    const retired = binding.replace(new Named("new"));
    expect(await ask(pair, connect(pair))).toBe("new");
    expect(await ask(pair, before)).toBe("old");
    expect(retired.running).toBe(1);
  });

  // SYNs, decisions, handshakes and requests are under way at each of 1,000 replacements; every other
  // plugin decides about SYNs. No connection is reset, and each is answered.
  test("resets none of the connections that are being opened, 1,000 times", async () => {
    await using pair = new StackPair();
    const plugins = Array.from(
      { length: 1001 },
      (_, i) => i % 4 < 2 ? new Named(`${i}`) : new Deciding(`${i}`),
    );
    const binding = pair.server.use(7, plugins[0]!);
    const answered: Promise<number>[] = [];
    const one = async () => {
      const socket = connect(pair);
      await socket.write(bytes("?"));
      const answer = new Uint8Array(8);
      const count = await socket.read(answer);
      await socket.closeWrite();
      for await (const _ of socket);
      return Number(decoder.decode(answer.subarray(0, count!)));
    };
    for (const plugin of plugins.slice(1)) {
      answered.push(one(), one());
      // Packets are on their way in each stage of the handshake.
      for (let turns = 0; turns < answered.length % 7; turns++) await pair.clock.settle();
      binding.replace(plugin);
    }
    const by = await pair.run(Promise.all(answered));
    expect(by).toHaveLength(2000);
    expect(new Set(by).size).toBeGreaterThan(500);
    expect(pair.server.stats()["resetsSent"]).toBe(0);
    await pair.clock.advance(1);
    expect(plugins.map(({ disposed }) => disposed)).toEqual([...Array(1000).fill(1), 0]);
  });

  // The SYN is decided by the old plugin, whose handler then serves the connection.
  test("leaves a SYN to the plugin that is deciding about it", async () => {
    await using pair = new StackPair();
    const decision = Promise.withResolvers<void>();
    const old: Plugin = { ...new Named("old"), name: "old", onSyn: () => decision.promise };
    const binding = pair.server.use(7, old);
    const socket = connect(pair);
    await pair.clock.advance(1);
    const retired = binding.replace(new Named("new"));
    expect(retired.running).toBeGreaterThan(0);
    decision.resolve();
    expect(await ask(pair, socket)).toBe("old");
    expect(retired.running).toBe(1);
  });

  // A handshake that began before the replacement ends after it: the new plugin still decides.
  test("lets the new plugins refuse a connection that is still undecided", async () => {
    await using pair = new StackPair();
    const binding = pair.server.use(7, new Named("old"));
    const refused = connect(pair);
    // The SYN has arrived; the ACK that completes the handshake has not.
    while (pair.server.stats()["connections"] === 0) await Promise.resolve();
    binding.replace(deny({ from: ["10.0.0.1"] }), new Named("new"));
    expect(await pair.run(codeOf(refused.closed))).toBe("CONNECTION_RESET");
    expect(pair.lines.map(({ message }) => message)).toContain("connection refused");
  });

  // Flows continue with their handler; a datagram from another port gets the new one.
  test("serves new flows", async () => {
    await using pair = new StackPair();
    const binding = pair.server.use(["udp/7", 7], new Named("old"));
    const [one, other] = [1000, 1001].map((port) => pair.client.listenDatagram({ port }));
    const heard = async (conn: typeof one) => {
      await conn!.send(bytes("?"), "10.0.0.2:7");
      return decoder.decode((await pair.run(conn!.receive()))[0]);
    };
    expect(await heard(one)).toBe("old");
    const retired = binding.replace(new Named("new"));
    expect([await heard(one), await heard(other)]).toEqual(["old", "new"]);
    await retired.end();
    expect(await heard(one)).toBe("new");
  });

  // Each message names what is wrong; the old handlers stay in place.
  test("refuses values that are not handlers, and changes nothing", async () => {
    await using pair = new StackPair();
    const binding = pair.server.use([7, "udp/7"], new Named("old"));
    expect(() => binding.replace(echo as unknown as Plugin)).toThrow("call it, as in echo()");
    expect(() => binding.replace({ name: "tcp only", handle: () => {} })).toThrow("has no flow");
    expect(await ask(pair, connect(pair))).toBe("old");
  });
});

describe("a replaced plugin", () => {
  // The last of its connections ends: dispose() is called, once.
  test("is disposed when its last handler has finished", async () => {
    await using pair = new StackPair();
    const old = new Named("old");
    const binding = pair.server.use([7, 8], old);
    const sockets = [connect(pair), connect(pair, 8)];
    for (const socket of sockets) await ask(pair, socket);
    const retired = binding.replace(new Named("new"));
    for (const socket of sockets) {
      await pair.clock.advance(1);
      expect(old.disposed).toBe(0);
      await socket.closeWrite();
    }
    await pair.run(retired.finished);
    expect([old.disposed, retired.running]).toEqual([1, 0]);
    await pair.run(pair.server.close());
    expect(old.disposed).toBe(1);
  });

  // The same object serves elsewhere, or is part of the new chain.
  test("is not disposed while it is in use elsewhere", async () => {
    await using pair = new StackPair();
    const shared = new Named("shared");
    const binding = pair.server.use(7, shared);
    const other = pair.server.use(8, shared);
    binding.replace(shared);
    binding.replace(new Named("new"));
    await pair.clock.advance(1);
    expect(shared.disposed).toBe(0);
    await other.remove();
    expect(shared.disposed).toBe(1);
  });

  // end() aborts the signal, so that handlers can finish; after the grace time the connection is reset.
  test("is given graceMs to finish by end()", async () => {
    await using pair = new StackPair();
    const signals: AbortSignal[] = [];
    const old = new Named("old");
    const watched: Plugin = {
      name: "watched",
      handle: (c, next) => {
        signals.push(c.signal);
        return next();
      },
    };
    const binding = pair.server.use(7, watched, old);
    const socket = connect(pair);
    await ask(pair, socket);
    const ended = binding.replace(new Named("new")).end({ graceMs: 5000 });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await pair.clock.advance(4999);
    expect(await ask(pair, socket)).toBe("old");
    expect(old.disposed).toBe(0);
    await pair.run(ended);
    await pair.clock.advance(1);
    expect(pair.clock.now()).toBeGreaterThanOrEqual(5000);
    expect(await pair.run(codeOf(socket.closed))).toBe("CONNECTION_RESET");
    expect(old.disposed).toBe(1);
  });

  // With Infinity, the handler may run for as long as the connection lasts.
  test("is waited for without limit", async () => {
    await using pair = new StackPair();
    const binding = pair.server.use(7, new Named("old"));
    const socket = connect(pair);
    await ask(pair, socket);
    let isOver = false;
    void binding.replace(new Named("new")).end({ graceMs: Infinity }).then(() => isOver = true);
    await pair.clock.advance(1e9);
    expect([isOver, await ask(pair, socket)]).toEqual([false, "old"]);
    await socket.closeWrite();
    await pair.clock.advance(1);
    expect(isOver).toBe(true);
  });

  test.each([-1, NaN])("is not given %s milliseconds", async (graceMs) => {
    await using pair = new StackPair();
    const retired = pair.server.use(7, new Named("old")).replace(new Named("new"));
    await expect(retired.end({ graceMs })).rejects.toThrow("end: options.graceMs: expected");
  });
});

describe("remove", () => {
  // The port refuses at once; the running connection gets graceMs; the port is free for other
  // plugins.
  test("refuses new connections, and ends running ones after graceMs", async () => {
    await using pair = new StackPair();
    const plugin = new Named("plugin");
    const binding = pair.server.use(7, plugin);
    pair.server.use(8, new Named("other"));
    const socket = connect(pair);
    await ask(pair, socket);
    const removed = binding.remove({ graceMs: 1000 });
    expect(pair.server.addrs.map(({ port }) => port)).toEqual([8]);
    expect(await pair.run(codeOf(connect(pair).opened))).toBe("CONNECTION_REFUSED");
    expect(await ask(pair, socket)).toBe("plugin");
    await pair.run(removed);
    expect(await pair.run(codeOf(socket.closed))).toBe("CONNECTION_RESET");
    expect(plugin.disposed).toBe(1);
    pair.server.use(7, new Named("next"));
    expect(await ask(pair, connect(pair))).toBe("next");
  });

  // Without a binding there is nothing to replace.
  test("and the end of the stack leave nothing to replace", async () => {
    await using pair = new StackPair();
    const binding = pair.server.use(7, new Named("plugin"));
    const other = pair.server.use(8, new Named("other"));
    await binding.remove();
    await binding.remove();
    const code = (call: () => unknown) => codeOf((async () => await call())());
    expect(await code(() => binding.replace(new Named("next")))).toBe("LISTENER_CLOSED");
    await pair.run(pair.server.close());
    expect(await code(() => other.replace(new Named("next")))).toBe("STACK_CLOSED");
    await other.remove();
  });
});
