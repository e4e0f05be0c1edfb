import { describe, expect, test } from "bun:test";
import type { Plugin, Stack } from "../../../../core/api/types.ts";
import type { DatagramFlow, FlowContext } from "../../../../core/api/udp/datagram.ts";
import { bytes, codeOf, StackPair } from "../stack_pair.ts";

const text = (data: Uint8Array) => new TextDecoder().decode(data);

function plugin(flow: NonNullable<Plugin["flow"]>): Plugin {
  return { name: "tested", flow };
}

/** Sends a request to the server from a new socket; returns the reply. */
async function ask(pair: StackPair, to: string, question: string): Promise<string> {
  using client = pair.client.listenDatagram({ port: 0 });
  await client.send(bytes(question), to);
  return text((await pair.run(client.receive()))[0]);
}

/** A plugin that records the context and datagrams of each flow, until the flow ends. */
function keeper(): { kept: { c: FlowContext; texts: string[]; ended: boolean }[]; plugin: Plugin } {
  const kept: { c: FlowContext; texts: string[]; ended: boolean }[] = [];
  const flow = async (c: FlowContext) => {
    const one = { c, texts: [] as string[], ended: false };
    kept.push(one);
    for await (const datagram of c.flow) one.texts.push(text(datagram));
    one.ended = true;
  };
  return { kept, plugin: plugin(flow) };
}

describe("stack.use on udp/ listen addresses", () => {
  // One handler per flow, with both addresses.
  test("runs the plugin once for each peer's address and port", async () => {
    await using pair = new StackPair();
    const { kept, plugin } = keeper();
    pair.server.use("udp/7", plugin);
    const one = pair.client.listenDatagram({ port: 1000 });
    const other = pair.client.listenDatagram({ port: 1001 });
    for (const conn of [one, other, one]) await conn.send(bytes("x"), "10.0.0.2:7");
    await one.send(bytes("y"), "[fd00::2]:7");
    await pair.clock.advance(1);
    expect(kept.map(({ texts }) => texts)).toEqual([["x", "x"], ["x"], ["y"]]);
    expect(kept[0]!.c.flow.localAddr).toEqual({ transport: "udp", hostname: "10.0.0.2", port: 7 });
    expect(kept[1]!.c.flow.remoteAddr.port).toBe(1001);
    expect(pair.server.stats()["flows"]).toBe(3);
  });

  // Every port of every address; more specific bindings are preferred.
  test("accepts ranges, networks and wildcards, the most specific first", async () => {
    await using pair = new StackPair();
    const say = (name: string) =>
      plugin(async ({ flow }) => {
        await flow.receive();
        const { hostname, port } = flow.localAddr;
        await flow.send(bytes(`${name} at ${hostname} ${port}`));
      });
    pair.server.addAddress("10.0.0.77/24");
    pair.server.use("udp/*", say("any")).use("udp/50-60", say("range"))
      .use("udp/10.0.0.77:53", say("one"));
    expect(await ask(pair, "10.0.0.2:9999", "?")).toBe("any at 10.0.0.2 9999");
    expect(await ask(pair, "10.0.0.2:53", "?")).toBe("range at 10.0.0.2 53");
    expect(await ask(pair, "10.0.0.77:53", "?")).toBe("one at 10.0.0.77 53");
    expect(await ask(pair, "[fd00::2]:1", "?")).toBe("any at fd00::2 1");
  });

  // Middleware wraps the handler; a value is passed through the chain.
  test("runs a chain of plugins, each wrapping the next", async () => {
    await using pair = new StackPair();
    const steps: string[] = [];
    const outer = plugin(async (c, next) => {
      steps.push("before");
      c.set("word", "aye");
      await next();
      steps.push("after");
    });
    const inner = plugin(async (c) => {
      await c.flow.receive();
      await c.flow.send(bytes(c.get<string>("word")!));
    });
    pair.server.use("udp/7", outer, inner);
    expect(await ask(pair, "10.0.0.2:7", "?")).toBe("aye");
    await pair.clock.advance(1);
    expect(steps).toEqual(["before", "after"]);
  });

  // A single call binds both transports.
  test("binds a plugin with handlers for both transports to both", async () => {
    await using pair = new StackPair();
    const both: Plugin = {
      name: "both",
      handle: ({ socket }) => void socket.write(bytes("tcp")),
      flow: ({ flow }) => void flow.send(bytes("udp")),
    };
    pair.server.use([7, "udp/7"], both);
    expect(await ask(pair, "10.0.0.2:7", "?")).toBe("udp");
    const socket = pair.client.connect("10.0.0.2:7");
    const chunk = new Uint8Array(8);
    expect(await pair.run(socket.read(chunk))).toBe(3);
  });

  // The error is reported at once, and nothing is bound.
  test("refuses plugins without a flow handler", async () => {
    await using pair = new StackPair();
    const use = (...handlers: Parameters<Stack["use"]> extends [unknown, ...infer H] ? H : never) =>
      pair.server.use("udp/7", ...handlers);
    expect(() => use(() => {})).toThrow("takes connections, not datagrams");
    expect(() => use(function named() {})).toThrow("The function named takes connections");
    expect(() => use({ name: "tcp", handle() {} })).toThrow("Plugin tcp has no flow");
    expect(() => pair.server.use(7, plugin(() => {}))).toThrow(
      "has neither handle nor onSyn: it serves datagrams, on a listen address such as udp/53",
    );
    expect(() => pair.server.use(["udp/8", "udp/8"], plugin(() => {}))).toThrow("udp/8 is in use");
    pair.server.use(["udp/7", "udp/8"], plugin(() => {}));
  });
});

describe("DatagramFlow", () => {
  // The handler does not have to do anything.
  test("ends when it is idle, 60 s by default", async () => {
    await using pair = new StackPair();
    const { kept, plugin } = keeper();
    pair.server.use("udp/7", plugin);
    const client = pair.client.listenDatagram({ port: 1000 });
    await client.send(bytes("a"), "10.0.0.2:7");
    await pair.clock.advance(59_000);
    expect(kept[0]!.ended).toBe(false);
    await pair.clock.advance(1500);
    expect(kept[0]!.ended).toBe(true);
    expect(kept[0]!.c.signal.aborted).toBe(true);
    expect(pair.server.stats()).toMatchObject({ flows: 0, flowsEnded: 1 });
    await client.send(bytes("b"), "10.0.0.2:7");
    await pair.clock.advance(1);
    expect(kept.map(({ texts }) => texts)).toEqual([["a"], ["b"]]);
    expect(await codeOf(kept[0]!.c.flow.send(bytes("late")))).toBe("CLOSING");
  });

  // Handlers that answer once can set a shorter one.
  test("can set its own idle timeout", async () => {
    await using pair = new StackPair();
    const { kept, plugin } = keeper();
    pair.server.use("udp/7", plugin);
    const client = pair.client.listenDatagram({ port: 1000 });
    await client.send(bytes("a"), "10.0.0.2:7");
    await pair.clock.advance(1);
    const { flow } = kept[0]!.c;
    for (const ms of [0, -1, NaN]) expect(() => flow.setIdleTimeout(ms)).toThrow("idle timeout");
    flow.setIdleTimeout(500);
    await pair.clock.advance(501);
    expect(kept[0]!.ended).toBe(true);
  });

  // Each handler reads a single datagram and returns.
  test("loses nothing when a handler returns after one datagram", async () => {
    await using pair = new StackPair();
    const seen: string[] = [];
    pair.server.use(
      "udp/7",
      plugin(async ({ flow }) => {
        const datagram = await flow.receive();
        await Promise.resolve();
        seen.push(text(datagram!));
      }),
    );
    const client = pair.client.listenDatagram({ port: 1000 });
    for (let i = 0; i < 20; i++) await client.send(bytes(String(i)), "10.0.0.2:7");
    await pair.clock.advance(1);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
    expect(pair.server.stats()).toMatchObject({ flows: 0, datagramsIn: 20 });
  });

  // Otherwise the same datagram would be delivered forever.
  test("drops a datagram that the handler does not read", async () => {
    await using pair = new StackPair();
    let runs = 0;
    pair.server.use("udp/7", plugin(() => void runs++));
    const client = pair.client.listenDatagram({ port: 1000 });
    await client.send(bytes("x"), "10.0.0.2:7");
    await pair.clock.advance(1);
    expect(runs).toBe(1);
    expect(pair.server.stats()["drop.udp-unread"]).toBe(1);
  });

  // The peer's port is closed: reading rejects after the received datagrams; nothing is logged.
  test("rejects with the error that ICMP reports (RFC 1122 4.1.3.3)", async () => {
    await using pair = new StackPair();
    const ends: string[] = [];
    pair.server.use(
      "udp/7",
      plugin(async ({ flow }) => {
        await flow.receive();
        await flow.send(bytes("answer"));
        const code = codeOf(flow.receive());
        ends.push(await code);
        await flow.receive();
      }),
    );
    const client = pair.client.listenDatagram({ port: 1000 });
    await client.send(bytes("x"), "10.0.0.2:7");
    client.close();
    await pair.clock.advance(10);
    expect(ends).toEqual(["CONNECTION_REFUSED"]);
    expect(pair.lines).toEqual([]);
    expect(pair.server.stats()["flows"]).toBe(0);
  });

  // Other flows are not affected.
  test("is closed and logged when its handler throws", async () => {
    await using pair = new StackPair();
    pair.server.use(
      "udp/7",
      plugin(async ({ flow }) => {
        const word = text((await flow.receive())!);
        if (word === "throw") throw new Error("as asked");
        await flow.send(bytes(word));
      }),
    );
    const client = pair.client.listenDatagram({ port: 1000 });
    await client.send(bytes("throw"), "10.0.0.2:7");
    expect(await ask(pair, "10.0.0.2:7", "fine")).toBe("fine");
    const [line, ...others] = pair.lines;
    expect(others).toEqual([]);
    expect(line).toMatchObject({
      level: "error",
      message: "handler failed, its flow was closed",
      fields: { port: "udp/7", plugin: "tested", remote: "10.0.0.1:1000", error: "as asked" },
    });
    expect(line?.fields?.stack).toMatch(/^Error: as asked\n[^]*datagram_flow_test/);
  });

  // The peer's socket gets the error; a later datagram opens a new flow, which is refused again.
  test("can be refused (RFC 1122 4.1.3.1)", async () => {
    await using pair = new StackPair();
    const ends: unknown[] = [];
    pair.server.use(
      "udp/1-2",
      plugin(async ({ flow }) => {
        flow.refuse(flow.localAddr.port === 1 ? undefined : "host");
        ends.push(await flow.receive(), await codeOf(flow.send(bytes("x"))));
      }),
    );
    const errors: string[] = [];
    const client = pair.client.listenDatagram({
      port: 1000,
      onError: ({ code, remote }) => void errors.push(`${code} ${remote!.port}`),
    });
    for (const port of [1, 2, 1]) {
      await client.send(bytes("x"), `10.0.0.2:${port}`);
      await pair.clock.advance(1);
    }
    expect(errors).toEqual(["CONNECTION_REFUSED 1", "UNREACHABLE 2", "CONNECTION_REFUSED 1"]);
    expect(ends).toEqual([null, "CLOSING", null, "CLOSING", null, "CLOSING"]);
    expect(pair.server.stats()).toMatchObject({ flows: 0, errorsSent: 3 });
    expect(pair.lines).toEqual([]);
  });

  // After close() nothing can be sent, and a later datagram opens a new flow.
  test("can be closed", async () => {
    await using pair = new StackPair();
    const flows: DatagramFlow[] = [];
    pair.server.use(
      "udp/7",
      plugin(async ({ flow }) => {
        flows.push(flow);
        await flow.receive();
        flow.close();
        await Promise.resolve();
      }),
    );
    const client = pair.client.listenDatagram({ port: 1000 });
    for (const word of ["a", "b"]) {
      await client.send(bytes(word), "10.0.0.2:7");
      await pair.clock.advance(1);
    }
    expect(flows.length).toBe(2);
    expect(await flows[0]!.receive()).toBe(null);
    expect(await codeOf(flows[0]!.send(bytes("x")))).toBe("CLOSING");
    expect(flows[0]!.stats()).toEqual({ datagramsIn: 1, bytesIn: 1, datagramsOut: 0, bytesOut: 0 });
  });

  // Pending answers are sent within the grace time.
  test("ends with the stack, and can answer within the grace time", async () => {
    await using pair = new StackPair();
    const later: (() => void)[] = [];
    pair.server.use(
      "udp/7",
      plugin(async ({ flow, signal }) => {
        for await (const datagram of flow) {
          await new Promise<void>((resolve) => void later.push(resolve));
          await flow.send(datagram);
        }
        expect(signal.aborted).toBe(true);
      }),
    );
    const client = pair.client.listenDatagram({ port: 1000 });
    await client.send(bytes("x"), "10.0.0.2:7");
    await pair.clock.advance(1);
    const closed = pair.server.close({ graceMs: 1000 });
    await pair.clock.advance(10);
    expect(later.length).toBe(1);
    later[0]!();
    await pair.run(closed);
    expect(pair.clock.now()).toBeLessThan(500);
    expect(text((await pair.run(client.receive()))[0])).toBe("x");
  });

  // close() takes at most the grace time, although the handler never returns.
  test("does not delay the close of the stack", async () => {
    await using pair = new StackPair();
    pair.server.use("udp/7", plugin(() => new Promise(() => {})));
    const client = pair.client.listenDatagram({ port: 1000 });
    await client.send(bytes("x"), "10.0.0.2:7");
    await pair.clock.advance(1);
    const before = pair.clock.now();
    await pair.run(pair.server.close({ graceMs: 1000 }));
    expect(pair.clock.now() - before).toBeGreaterThanOrEqual(1000);
  });
});
