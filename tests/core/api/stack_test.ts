import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../adapters/links/memory.ts";
import { createStack, type StackOptions } from "../../../core/api/stack.ts";
import type { Context, Handler, Plugin } from "../../../core/api/types.ts";
import type { Link } from "../../../core/stack/link.ts";
import { bytes, codeOf, readText, StackPair } from "./stack_pair.ts";

const upper: Handler = async ({ socket }) => {
  await socket.write(bytes((await readText(socket)).toUpperCase()));
};

async function ask(pair: StackPair, port: number, text: string): Promise<string> {
  const client = pair.client.connect({ hostname: "10.0.0.2", port }, { allowHalfOpen: true });
  await client.write(bytes(text));
  await client.closeWrite();
  return await pair.run(readText(client));
}

describe("use", () => {
  // One handler on two ports, and two handlers on one.
  test("serves several ports and chains handlers", async () => {
    await using pair = new StackPair();
    const greet: Handler = async (c, next) => {
      c.set("name", "ahoy ");
      await next();
      await c.socket.write(bytes("!"));
    };
    const named: Handler = async (c, next) => {
      await c.socket.write(bytes(c.get<string>("name") ?? ""));
      await upper(c, next);
    };
    pair.server.use([7, 8], upper).use(9, greet, named);
    expect(await ask(pair, 7, "seven")).toBe("SEVEN");
    expect(await ask(pair, 8, "eight")).toBe("EIGHT");
    expect(await ask(pair, 9, "nine")).toBe("ahoy NINE!");
  });

  // The handler of one connection throws: that connection is reset and logged with its port; the
  // other continues.
  test("a handler that throws aborts only its own connection", async () => {
    await using pair = new StackPair();
    pair.server.use(7, upper).use(13, async ({ socket }) => {
      await socket.read(new Uint8Array(1));
      throw new Error("oops");
    });
    const other = pair.client.connect("10.0.0.2:7", { allowHalfOpen: true });
    await pair.run(other.opened);
    expect(await pair.run(codeOf(ask(pair, 13, "x")))).toBe("CONNECTION_RESET");
    expect(pair.lines).toMatchObject([{
      level: "error",
      fields: { port: 13, error: "oops" },
    }]);
    await other.write(bytes("fine"));
    await other.closeWrite();
    expect(await pair.run(readText(other))).toBe("FINE");
  });

  // A reset by the peer is not an error of the handler.
  test("a handler that fails because its peer has reset is not logged", async () => {
    await using pair = new StackPair();
    pair.server.use(7, upper);
    const client = pair.client.connect("10.0.0.2:7");
    await pair.run(client.opened);
    client.abort();
    await pair.clock.advance(10);
    expect(pair.lines).toEqual([]);
    expect(pair.server.stats().connections).toBe(0);
  });

  // The plugin dials first: the connection is refused if it cannot be served.
  test("a plugin with onSyn decides before the SYN is answered", async () => {
    await using pair = new StackPair();
    const plugin: Plugin = {
      name: "choosy",
      onSyn: (syn) => {
        if (syn.remote.port === 1234) throw new Error("not you");
        return upper;
      },
    };
    pair.server.use(7, plugin);
    expect(await ask(pair, 7, "yes")).toBe("YES");
    const refused = pair.client.connect("10.0.0.2:7", { localPort: 1234 });
    expect(await pair.run(codeOf(refused.opened))).toBe("CONNECTION_REFUSED");
    expect(pair.lines).toMatchObject([{ level: "error", fields: { port: 7, reason: "not you" } }]);
  });

  // The gate decides before the dialler. A later plugin may still refuse; then the dialled
  // connection is released.
  test("several plugins with onSyn decide in turn", async () => {
    await using pair = new StackPair();
    const dialled: AbortSignal[] = [];
    const servedAfterAbort: boolean[] = [];
    const gate: Plugin = {
      name: "gate",
      onSyn: ({ remote }) => remote.port === 1111 ? "ignore" : undefined,
    };
    const dialler: Plugin = {
      name: "dialler",
      onSyn: ({ signal }) => {
        dialled.push(signal);
        return (c, next) => {
          servedAfterAbort.push(signal.aborted);
          return upper(c, next);
        };
      },
    };
    const quota: Plugin = {
      name: "quota",
      onSyn: ({ remote }) => remote.port === 2222 ? "refuse" : undefined,
    };
    pair.server.use("*", gate, quota, dialler).use(7, dialler, quota);
    expect(await ask(pair, 99, "yes")).toBe("YES");
    expect(dialled).toHaveLength(1);
    const ignored = pair.client.connect("10.0.0.2:99", { localPort: 1111 });
    await pair.clock.advance(500);
    expect(ignored.state).toBe("SYN-SENT");
    ignored.abort();
    const refused = [7, 99].map((port) =>
      pair.client.connect({ hostname: "10.0.0.2", port }, { localPort: 2222 })
    );
    for (const socket of refused) {
      expect(await pair.run(codeOf(socket.opened))).toBe("CONNECTION_REFUSED");
    }
    expect(dialled.map(({ aborted }) => aborted)).toEqual([true, true]);
    expect(servedAfterAbort).toEqual([false]);
  });

  // Aborted when the peer is gone, and when the stack closes.
  test("the context's signal is aborted when the connection ends", async () => {
    await using pair = new StackPair();
    const contexts: Context[] = [];
    pair.server.use(7, async (c) => {
      contexts.push(c);
      if (c.signal.aborted) throw new Error("too early");
      await c.socket.closed.catch(() => {});
    });
    const [one, two] = [0, 1].map(() => pair.client.connect("10.0.0.2:7"));
    await pair.run(Promise.all([one!.opened, two!.opened]));
    one!.abort();
    await pair.clock.advance(10);
    expect(contexts.map((c) => c.signal.aborted)).toEqual([true, false]);
    await pair.run(pair.server.close());
    expect(contexts[1]!.signal.aborted).toBe(true);
    expect(await pair.run(codeOf(two!.closed))).toBe("CONNECTION_RESET");
  });

  // A handler connects through its own stack, here to another port of it.
  test("handlers connect through their own stack, also to itself", async () => {
    await using pair = new StackPair();
    pair.server.use(7, upper).use(8, async ({ socket, stack }) => {
      const upstream = stack.connect("10.0.0.2:7", { allowHalfOpen: true });
      await Promise.all([
        socket.readable.pipeTo(upstream.writable),
        upstream.readable.pipeTo(socket.writable),
      ]);
    });
    expect(await ask(pair, 8, "through")).toBe("THROUGH");
  });
});

describe("close", () => {
  // One connection ends in time; the other is reset when the grace period expires.
  test("lets connections finish for graceMs and aborts the rest", async () => {
    await using pair = new StackPair();
    pair.server.use(7, upper);
    const listener = pair.server.listen({ port: 80 });
    const [quick, slow] = [0, 1].map(() =>
      pair.client.connect("10.0.0.2:7", { allowHalfOpen: true })
    );
    const accepted = pair.client.connect("10.0.0.2:80", { allowHalfOpen: true });
    await pair.run(Promise.all([quick!.opened, slow!.opened, accepted.opened]));
    const own = await listener.accept();
    const closing = pair.server.close({ graceMs: 5000 });
    expect(pair.server.close()).toBe(closing);
    await pair.clock.advance(1000);
    expect(await pair.run(codeOf(pair.client.connect("10.0.0.2:7").opened)))
      .toBe("CONNECTION_REFUSED");
    await quick!.write(bytes("just"));
    await quick!.closeWrite();
    expect(await pair.run(readText(quick!))).toBe("JUST");
    await own.write(bytes("own"));
    void own.close();
    expect(await pair.run(readText(accepted))).toBe("own");
    expect(slow!.state).toBe("ESTABLISHED");
    const before = pair.clock.now();
    await pair.run(closing);
    expect(pair.clock.now() - before).toBeGreaterThan(3000);
    expect(await pair.run(codeOf(slow!.closed))).toBe("CONNECTION_RESET");
    await pair.server.finished;
  });

  // The server has closed and the client closes later: its FIN is still acknowledged.
  test("waits for the FIN of a peer that closes later (RFC 9293 3.6)", async () => {
    await using pair = new StackPair();
    pair.server.use(9, ({ socket }) => void socket.close());
    const client = pair.client.connect("10.0.0.2:9", { allowHalfOpen: true });
    expect(await pair.run(readText(client))).toBe("");
    const before = pair.clock.now();
    const closing = pair.server.close({ graceMs: 5000 });
    await pair.clock.advance(1000);
    await client.closeWrite();
    await pair.run(closing);
    expect(pair.clock.now() - before).toBeLessThan(4000);
    expect(await pair.run(codeOf(client.closed))).toBe("none");
    expect(pair.clock.now() - before).toBeLessThan(4000);
  });

  // The client never closes.
  test("waits at most graceMs for the FIN of a peer", async () => {
    await using pair = new StackPair();
    pair.server.use(9, ({ socket }) => void socket.close());
    const client = pair.client.connect("10.0.0.2:9", { allowHalfOpen: true });
    expect(await pair.run(readText(client))).toBe("");
    const before = pair.clock.now();
    await pair.run(pair.server.close({ graceMs: 5000 }));
    expect(pair.clock.now() - before).toBe(5000);
    client.abort();
  });

  // close() returns the same promise at every call, but an invalid call must not create it.
  test("refuses a grace time that is not a number, and can be called again", async () => {
    const { server } = new StackPair();
    await expect(server.close({ graceMs: "5" as never })).rejects.toThrow("close: options.graceMs");
    await server.close();
  });

  // There is nothing to wait for.
  test("does not wait when there are no connections", async () => {
    await using pair = new StackPair();
    const before = pair.clock.now();
    await pair.run(pair.server.close({ graceMs: 60_000 }));
    expect(pair.clock.now()).toBe(before);
  });

  // The caller gets the error, and everything is closed.
  test("closes even if whenDrained fails", async () => {
    const [link, other] = linkPair();
    const stack = createStack({ link, addresses: ["10.0.0.1/24"] });
    const whenDrained = () => Promise.reject(new Error("stuck"));
    await expect(stack.close({ whenDrained })).rejects.toThrow("stuck");
    await stack.finished;
    expect(await link.ready()).toBe(false);
    await other.close();
  });

  // Each plugin is disposed of once, whatever the number of its ports; an error is logged and does not affect the
  // others.
  test("disposes each plugin once", async () => {
    await using pair = new StackPair();
    const disposed: string[] = [];
    const plugin = (name: string, fail: boolean): Plugin => ({
      name,
      handle: upper,
      dispose: () => {
        disposed.push(name);
        if (fail) throw new Error("stuck");
      },
    });
    pair.server.use([1, 2], plugin("first", true)).use(3, plugin("second", false));
    await pair.run(pair.server.close());
    expect(disposed).toEqual(["first", "second"]);
    expect(pair.lines).toMatchObject([{ level: "error", fields: { plugin: "first" } }]);
  });

  // Later calls fail with a clear error.
  test("ends sockets, listeners and the stack with a clear code", async () => {
    await using pair = new StackPair();
    const { server, listener } = await pair.connect();
    const reading = codeOf(server.read(new Uint8Array(1)));
    const accepting = codeOf(listener.accept());
    await pair.run(pair.server.close());
    expect(await reading).toBe("STACK_CLOSED");
    expect(await accepting).toBe("LISTENER_CLOSED");
    const closed = expect.objectContaining({ code: "STACK_CLOSED" });
    for (
      const call of [
        () => pair.server.connect("10.0.0.1:1"),
        () => pair.server.listen({ port: 1 }),
        () => pair.server.use(1, upper),
      ]
    ) {
      expect(call).toThrow();
      try {
        call();
      } catch (error) {
        expect(error).toEqual(closed);
      }
    }
  });
});

describe("connections", () => {
  // Each entry has both ends, the plugin and the age, and can reset its connection.
  test("lists open connections with the plugins that serve them", async () => {
    await using pair = new StackPair();
    const waiting: Handler = async ({ socket }) => void await socket.read(new Uint8Array(1));
    pair.server.use(7, { name: "first", handle: (_c, next) => next() }, waiting);
    const socket = pair.client.connect("10.0.0.2:7", { localPort: 4000 });
    await pair.run(socket.opened);
    await pair.clock.advance(2500);
    const [one, ...others] = pair.server.connections();
    expect(others).toEqual([]);
    expect(one).toMatchObject({
      localAddr: { transport: "tcp", hostname: "10.0.0.2", port: 7 },
      remoteAddr: { transport: "tcp", hostname: "10.0.0.1", port: 4000 },
      plugin: "first, waiting",
      ageSeconds: 2,
    });
    expect(one!.stats().state).toBe("ESTABLISHED");
    expect(pair.client.connections()).toMatchObject([{ plugin: undefined }]);
    one!.abort();
    expect(await pair.run(codeOf(socket.closed))).toBe("CONNECTION_RESET");
    expect(pair.server.connections()).toEqual([]);
  });
});

describe("a link that fails", () => {
  /** A link whose `ready()` fails. */
  function brokenLink(): Link {
    const [link] = linkPair();
    return {
      name: "broken",
      features: link.features,
      receive: () => 0,
      ready: () => Promise.reject(new Error("cable pulled")),
      send: () => false,
      close: () => link.close(),
      [Symbol.asyncDispose]: () => link.close(),
    };
  }

  // Nothing may wait for events that can no longer happen.
  test("rejects finished and ends listeners and sockets", async () => {
    const stack = createStack({ link: brokenLink(), addresses: ["10.0.0.1/24"] });
    const accepting = codeOf(stack.listen({ port: 80 }).accept());
    const opened = codeOf(stack.connect("10.0.0.2:80").opened);
    await expect(stack.finished).rejects.toThrow("cable pulled");
    expect(await accepting).toBe("LISTENER_CLOSED");
    expect(await opened).toBe("STACK_CLOSED");
    await stack.close();
  });

  // close() is called while plugins are still being disposed after the link has ended.
  test("is closed when the plugins have been disposed", async () => {
    const [link, other] = linkPair();
    const stack = createStack({ link, addresses: ["10.0.0.1/24"] });
    let isDisposed = false;
    const begun = Promise.withResolvers<void>();
    const dispose = async () => {
      begun.resolve();
      for (let turn = 0; turn < 100; turn++) await undefined;
      isDisposed = true;
    };
    stack.use(7, { name: "slow", handle: upper, dispose });
    await link.close();
    await begun.promise;
    await stack.close();
    expect(isDisposed).toBe(true);
    await other.close();
  });
});

describe("usage errors", () => {
  /** The message of the error that an invalid call throws. */
  function messageOf(call: () => unknown): string {
    try {
      call();
    } catch (error) {
      return (error as Error).message;
    }
    return "nothing was thrown";
  }

  // Each message names the option and what to write instead.
  test.each([
    [{ addresses: [] }, /options\.addresses: needs at least one address/],
    [
      { addresses: ["10.0.0"] },
      /options\.addresses\.0: is not an address; write "10\.7\.0\.2\/24"/,
    ],
    [{ addresses: ["10.0.0.1/24", "0.0.0.0/32"] }, /options\.addresses\.1: is not an address/],
    [{ tcp: { profile: "wan" } }, /options\.tcp\.profile: .*"local" or "internet", got "wan"/],
    [{ tcp: { sendBuffer: 1 } }, /options\.tcp\.sendBuffer: .*4096/],
    [{ tcp: { delayedAckMs: 500 } }, /options\.tcp\.delayedAckMs: .*499/],
    [{ tcp: { nagle: true } }, /options\.tcp\.nagle: unknown key; the keys are profile, /],
    [{ maxConnections: 0 }, /options\.maxConnections: /],
    [{ adresses: ["10.0.0.1"] }, /options\.adresses: unknown key; did you mean addresses/],
  ])("createStack refuses %j", async (options, message) => {
    const [link, other] = linkPair();
    const wrong = { link, addresses: ["10.0.0.1/24"], ...options } as unknown as StackOptions;
    expect(() => createStack(wrong)).toThrow(TypeError);
    expect(messageOf(() => createStack(wrong))).toMatch(message);
    expect(messageOf(() => createStack(wrong))).not.toContain("\n");
    await Promise.all([link.close(), other.close()]);
  });

  test("connect, listen and use name what is wrong", async () => {
    await using pair = new StackPair();
    const { client, server } = pair;
    server.listen({ port: 80 });
    const wrong: [() => unknown, RegExp][] = [
      [
        () => client.connect("example.org:80"),
        /"example\.org" is not an IP address; resolve names/,
      ],
      [() => client.connect("10.0.0.2"), /is not an address; write "10\.0\.0\.2:80"/],
      [() => client.connect("10.0.0.2:0"), /0 is not a port/],
      [() => client.connect({ hostname: "10.0.0.2", port: 70_000 }), /70000 is not a port/],
      [() => client.connect("224.0.0.1:80"), /cannot connect to 224\.0\.0\.1:80/],
      [() => client.connect("10.0.0.255:80"), /cannot connect to/],
      [() => client.connect("10.0.0.2:80", { localPort: 70_000 }), /70000 is not a port/],
      [
        () => client.connect("10.0.0.2:80", { localHostname: "10.0.0.9" }),
        /not an address of this stack/,
      ],
      [
        () => client.connect("[fd00::2]:80", { localHostname: "10.0.0.1" }),
        /not an address of this stack/,
      ],
      [() => server.listen({ port: 80 }), /Port 80 is in use/],
      [() => server.listen({ port: -1 }), /-1 is not a port/],
      [() => server.listen({ port: 1.5 }), /1\.5 is not a port/],
      [
        () => server.listen({ port: 81, hostname: "10.9.9.9" }),
        /10\.9\.9\.9:81: not an address of this stack; it has 10\.0\.0\.2\/24, fd00::2\/64/,
      ],
      [() => server.listen({ port: 81, hostname: "x" }), /"x" is not an IP address/],
      [() => server.listen({ port: 81, tcpBacklog: 0 }), /0 is not a backlog/],
      [() => server.use(80, upper), /Port 80 is in use/],
      [() => server.use(82, { name: "empty" }), /Plugin empty has neither handle nor onSyn/],
    ];
    for (const [call, message] of wrong) expect(messageOf(call)).toMatch(message);
    // The same connection twice.
    client.connect("10.0.0.2:80", { localPort: 4000 });
    expect(messageOf(() => client.connect("10.0.0.2:80", { localPort: 4000 }))).toMatch(/in use/);
  });
});
