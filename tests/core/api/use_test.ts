import { describe, expect, test } from "bun:test";
import { PeerFaultError, TcpError } from "../../../core/api/errors.ts";
import type { Handler, Plugin } from "../../../core/api/types.ts";
import * as berth from "../../support/public_api.ts";
import { bytes, readText, StackPair } from "./stack_pair.ts";

/** Every plugin factory that the module exports, by name. */
const FACTORIES = Object.entries(berth as Record<string, unknown>)
  .filter(([, value]) => typeof value === "function" && "pluginName" in value)
  .map(([name]) => name);

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  return "nothing was thrown";
}

describe("use", () => {
  // Otherwise it would be called for each connection, with the context as its options.
  test.each(FACTORIES)("refuses the factory %s itself instead of its result", async (name) => {
    await using pair = new StackPair();
    const factory = (berth as Record<string, unknown>)[name] as Handler;
    const asIs = [() => pair.server.use(9, factory), () => pair.server.use("udp/9", factory)];
    const behind = () => pair.server.use(9, async (_c, next) => await next(), factory);
    const routed = () => berth.detect({ other: factory });
    for (const call of [...asIs, behind, routed]) {
      expect(messageOf(call)).toMatch(new RegExp(`^TypeError: .*call it, as in ${name}\\(\\)`));
    }
    expect(pair.server.addrs).toEqual([]);
  });

  // Checks that the list above is complete.
  test("is tested with all factories", () => {
    const all = "allow chargen connectProxy daytime deny detect discard dns echo egress forward " +
      "http http2 iperf3 limit log proxyProtocol rate shape socks5 timeout tls trace";
    expect(FACTORIES.toSorted()).toEqual(all.split(" ").toSorted());
  });

  // Each message names the value and what to do.
  test("refuses values that are not handlers", async () => {
    await using pair = new StackPair();
    const use = (what: unknown) => messageOf(() => pair.server.use(9, what as Plugin));
    expect(use(undefined)).toBe("TypeError: Expected a handler or a plugin, got undefined");
    expect(use("echo")).toBe("TypeError: Expected a handler or a plugin, got echo");
    expect(use(Promise.resolve(berth.echo()))).toContain("got a promise: await it first");
    expect(use({ fetch: () => new Response() })).toContain("got an app: write http(app)");
  });

  // As Deno.listen({ port: 0 }) does: any free port, which `addrs` returns.
  test("chooses a free port for 0 and returns it in addrs", async () => {
    await using pair = new StackPair();
    const { server, client } = pair;
    server.use([7, "[fd00::2]:8000-8999"], berth.echo());
    const { port } = server.use(0, berth.echo()).addrs.at(-1)!;
    const others = server.use(["10.0.0.2:0", "udp/0"], berth.echo()).addrs.slice(-2);
    expect(server.addrs.slice(0, 3)).toEqual([
      { transport: "tcp", hostname: "0.0.0.0", port: 7 },
      { transport: "tcp", hostname: "fd00::2", port: 8000 },
      { transport: "tcp", hostname: "0.0.0.0", port },
    ]);
    expect(others.map(({ transport, hostname }) => [transport, hostname]))
      .toEqual([["tcp", "10.0.0.2"], ["udp", "0.0.0.0"]]);
    for (const each of [port, others[0]!.port]) {
      expect(each).toBeGreaterThanOrEqual(49_152);
      const socket = client.connect(`10.0.0.2:${each}`, { allowHalfOpen: true });
      await pair.run(socket.write(bytes("ahoy")));
      await socket.closeWrite();
      expect(await pair.run(readText(socket))).toBe("ahoy");
    }
    const asking = client.listenDatagram({ port: 4000 });
    await asking.send(bytes("ahoy"), { hostname: "10.0.0.2", port: others[1]!.port });
    expect(new TextDecoder().decode((await pair.run(asking.receive()))[0])).toBe("ahoy");
  });
});

describe("the binding of use", () => {
  // Like the server of Deno.serve, the binding has `addr`; its listen addresses are in the notation of --listen.
  test("has addresses, ports, transports and plugins", async () => {
    await using pair = new StackPair();
    const { server } = pair;
    const web = server.use("10.0.0.2:0", berth.limit({ connections: 9 }), berth.echo());
    const { port } = web.addr;
    expect(port).toBeGreaterThanOrEqual(49_152);
    expect(web.addr).toEqual({ transport: "tcp", hostname: "10.0.0.2", port });
    expect(web.listenAddresses).toEqual([`10.0.0.2:${port}`]);
    expect(web.plugin).toBe("limit, echo");
    web.replace(berth.discard());
    expect(web.plugin).toBe("discard");
    const many = server.use(["udp/53", "[fd00::/64]:8000-8999", "*"], berth.echo());
    expect(many.addr).toEqual({ transport: "udp", hostname: "0.0.0.0", port: 53 });
    expect(many.listenAddresses).toEqual(["udp/53", "[fd00::/64]:8000-8999", "*"]);
  });

  // The text can be used again, for another stack or for the service.
  test("has listen addresses that use accepts", async () => {
    await using pair = new StackPair();
    const { server } = pair;
    const first = server.use([0, "udp/0", "[fd00::2]:7"], berth.echo());
    await first.remove();
    const again = server.use(first.listenAddresses, berth.echo());
    expect(again.addrs).toEqual(first.addrs);
  });

  // Without an address or a handler, nothing could be served.
  test("is not made for an empty list or without a handler", async () => {
    await using pair = new StackPair();
    const use = pair.server.use.bind(pair.server) as (...given: unknown[]) => unknown;
    expect(messageOf(() => use([], berth.echo()))).toContain(
      "the list of listen addresses is empty",
    );
    expect(messageOf(() => use(80))).toContain("needs at least one handler or plugin");
  });
});

describe("a handler that returns a plugin", () => {
  // Only definePlugin marks its factories; any other factory is detected when it returns a plugin.
  test.each([
    ["a plugin", () => ({ name: "a", handle: () => {} })],
    ["a handler", () => () => {}],
    ["a plugin that decides", () => ({ name: "a", onSyn: () => {} })],
  ])("fails: %s", async (_which: string, myPlugin: unknown) => {
    const pass: Handler = (_c, next) => next();
    for (const before of [[], [pass]]) {
      await using pair = new StackPair();
      pair.server.use(7, ...before as [Handler], myPlugin as Handler);
      const socket = pair.client.connect("10.0.0.2:7");
      await pair.run(socket.closed.catch(() => {}));
      expect(pair.lines.map(({ fields }) => fields?.error)).toEqual([
        expect.stringMatching(
          /^the handler.* returned a plugin or a handler, so it makes plugins: call/,
        ),
      ]);
    }
  });
});

describe("a handler that throws", () => {
  // The log line has the stack traces of the error and its causes.
  test("is logged with its stack and its causes", async () => {
    await using pair = new StackPair();
    pair.server.use(7, function fails() {
      throw new Error("as asked", { cause: new RangeError("the cause") });
    });
    await pair.run(pair.client.connect("10.0.0.2:7").closed.catch(() => {}));
    const [line] = pair.lines;
    expect(line).toMatchObject({ level: "error", fields: { error: "as asked", plugin: "fails" } });
    expect(line?.fields?.stack)
      .toMatch(/^Error: as asked\n[^]*fails[^]*use_test[^]*Caused by: RangeError: the cause/);
  });

  // Any value can be thrown, and the stack continues.
  test.each([["nothing", undefined], ["no object", "text"], [
    "a bare object",
    Object.create(null),
  ]])(
    "%s ends only its own connection",
    async (_, thrown) => {
      await using pair = new StackPair();
      pair.server.use(7, () => {
        throw thrown;
      }).use(8, berth.echo());
      await pair.run(pair.client.connect("10.0.0.2:7").closed.catch(() => {}));
      await pair.run(pair.client.connect("10.0.0.2:8").opened);
      expect(pair.lines.map(({ message }) => message)).toEqual([
        "handler failed, its connection was aborted",
      ]);
    },
  );

  // Middleware reports a fault of the peer with PeerFaultError, which is not logged.
  test("with a fault of the peer is not logged", async () => {
    await using pair = new StackPair();
    const fault = new PeerFaultError("the peer disconnected");
    let closed: Promise<unknown> | undefined;
    pair.server.use(7, ({ socket }) => {
      closed = socket.closed.catch((error: Error) => error.cause);
      throw fault;
    });
    await pair.run(pair.client.connect("10.0.0.2:7").closed.catch(() => {}));
    expect(await closed).toBe(fault);
    expect(pair.lines.map(({ level, message }) => [level, message]))
      .toEqual([["debug", "connection lost"]]);
  });

  // A client that gives up while the plugin decides is not a fault of the plugin.
  test("logs an attempt that ended while it was decided at level info", async () => {
    await using pair = new StackPair();
    const { server, client } = pair;
    server.use(1, {
      name: "slow",
      onSyn: ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    });
    const socket = client.connect("10.0.0.2:1");
    const opened = socket.opened.catch(() => {});
    await pair.clock.advance(10);
    socket.abort();
    await pair.run(opened);
    await pair.clock.advance(120_000);
    expect(
      pair.lines.filter(({ message }) => message === "connection refused")
        .map(({ level }) => level),
    ).not.toContain("error");
  });

  // A TcpError is an intended refusal; other errors are bugs and are logged with a stack trace.
  test("before the SYN is answered is logged, with a stack trace if it is a bug", async () => {
    await using pair = new StackPair();
    const { server, client } = pair;
    const fail = () => {
      throw new RangeError("a mistake");
    };
    const refuse = () => {
      throw new TcpError("CONNECTION_REFUSED", "no clients are accepted");
    };
    server.use(1, { name: "fails", onSyn: fail }).use(2, { name: "refuses", onSyn: refuse });
    server.listen({ port: 3, onSyn: fail });
    for (const port of [1, 2, 3]) {
      await pair.run(client.connect(`10.0.0.2:${port}`).opened.catch(() => {}));
    }
    expect(pair.lines.map(({ message, fields }) => [message, fields?.reason])).toEqual([
      ["connection refused", "a mistake"],
      ["connection refused", "SocketError: no clients are accepted"],
      ["connection refused", "a mistake"],
    ]);
    expect(pair.lines.map(({ level, fields }) => [level, typeof fields?.stack]))
      .toEqual([["error", "string"], ["info", "undefined"], ["error", "string"]]);
  });
});
