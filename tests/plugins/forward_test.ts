import { describe, expect, test } from "bun:test";
import { TcpError } from "../../core/api/errors.ts";
import type { Handler, NetAddr, Syn } from "../../core/api/types.ts";
import { forwardThrough } from "../../plugins/forward.ts";
import type { Dial } from "../../plugins/shared/host_network.ts";
import { StackPair } from "../core/api/stack_pair.ts";
import { bytes, textOf } from "../support/conversation.ts";
import { socketPair, testContext } from "../support/fake_socket.ts";
import { tcpOnly } from "./forward/fake_targets.ts";

const nothing = () => Promise.resolve();
const address: NetAddr = { transport: "tcp", hostname: "10.0.0.2", port: 8080 };

/** A SYN, and a function that makes its sender abort. */
function arriving(): { syn: Syn; abort: () => void } {
  const controller = new AbortController();
  const syn: Syn = { local: address, remote: address, signal: controller.signal };
  return { syn, abort: () => controller.abort(new Error("the peer gave up")) };
}

/** Dials a simulated target. */
function target() {
  const { client: upstream, server } = socketPair();
  const dialled: unknown[] = [];
  const dial: Dial = (to) => {
    dialled.push(to);
    return Promise.resolve(upstream);
  };
  return { dial, dialled, server };
}

describe("forward", () => {
  // The SYN dials the target. Then the connection is half-closed by each side in turn.
  test("connects before the SYN is answered and carries half-closes both ways", async () => {
    const { dial, dialled, server: upstream } = target();
    const { client, server } = socketPair();
    const { context } = testContext(server);
    const plugin = forwardThrough(tcpOnly(dial))({ to: "[::1]:3000" });

    const handler = await plugin.onSyn!(arriving().syn, context);
    expect(dialled).toEqual([{ hostname: "::1", port: 3000 }]);
    const served = (handler as Handler)(context, nothing);
    await client.write(bytes("question"));
    await client.closeWrite();
    expect(await textOf(upstream)).toBe("question");
    await upstream.write(bytes("answer"));
    await upstream.closeWrite();
    expect(await textOf(client)).toBe("answer");
    await served;
  });

  // Connections would loop; targets that lead to another listen address are allowed.
  test("refuses a target that leads back to its own listen address", async () => {
    for (const port of [80, 81]) {
      const { dial, dialled } = target();
      const { context } = testContext(socketPair().server);
      const { syn } = arriving();
      const network = {
        ...tcpOnly(dial),
        routeIntoStack: () => ({ hostname: syn.local.hostname, port: syn.local.port + port - 80 }),
      };
      const plugin = forwardThrough(network)({ to: "127.0.0.1:3000" });
      const decided = Promise.resolve(plugin.onSyn!(syn, context));
      if (port === 80) await expect(decided).rejects.toThrow("leads back to");
      else expect(typeof await decided).toBe("function");
      expect(dialled.length).toBe(port - 80);
    }
  });

  // The target is down: onSyn throws, and the stack sends RST.
  test("refuses the connection that its target refuses", async () => {
    const refused = new TcpError("CONNECTION_REFUSED", "connect ECONNREFUSED 127.0.0.1:3000");
    const plugin = forwardThrough(tcpOnly(() => Promise.reject(refused)))({ to: "127.0.0.1:3000" });
    const { context, clock } = testContext(socketPair().server);
    await expect(plugin.onSyn!(arriving().syn, context)).rejects.toBe(refused);
    expect(clock.pending).toBe(0);
  });

  // The target does not answer; the timeout uses the stack's clock.
  test("gives up after connectTimeoutMs", async () => {
    const never: Dial = (_to, signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const plugin = forwardThrough(tcpOnly(never))({ to: "127.0.0.1:3000", connectTimeoutMs: 2000 });
    const { context, clock } = testContext(socketPair().server);
    const refused = Promise.allSettled([plugin.onSyn!(arriving().syn, context)]);
    await clock.advance(2000);
    expect(await refused).toMatchObject([{
      reason: {
        code: "TIMED_OUT",
        message: "SocketError: 127.0.0.1:3000 did not answer within 2000 ms",
      },
    }]);
  });

  // The peer gives up while the target is dialled, or before its handshake is complete.
  test("releases the target when the peer gives up", async () => {
    const { dial, server: upstream } = target();
    const { context } = testContext(socketPair().server);
    const plugin = forwardThrough(tcpOnly(dial))({ to: "127.0.0.1:3000" });
    const { syn, abort } = arriving();
    await plugin.onSyn!(syn, context);
    abort();
    await expect(textOf(upstream)).rejects.toThrow("reset");

    const late = target();
    const gone = arriving();
    gone.abort();
    await forwardThrough(tcpOnly(late.dial))({ to: "127.0.0.1:3000" }).onSyn!(gone.syn, context);
    await expect(textOf(late.server)).rejects.toThrow("reset");
  });

  // A reset on one side resets the other; it is not an error of the plugin.
  test("carries a reset both ways, and logs it at level debug", async () => {
    for (const resetting of ["client", "upstream"] as const) {
      const { dial, server: upstream } = target();
      const { client, server } = socketPair();
      const { context, lines } = testContext(server);
      const handler = await forwardThrough(tcpOnly(dial))({ to: "127.0.0.1:1" }).onSyn!(
        arriving().syn,
        context,
      );
      const served = (handler as Handler)(context, nothing);
      (resetting === "client" ? client : upstream).abort();
      await served;
      await expect(textOf(resetting === "client" ? upstream : client)).rejects.toThrow("reset");
      expect(lines.map(({ level }) => level)).toEqual(["debug"]);
    }
  });

  // The header is sent first, with the addresses of the connection.
  test.each(
    [
      [1, "PROXY TCP4 10.0.0.1 10.0.0.2 50000 80\r\nhello"],
      [2, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\n\0\0\x01\n\0\0\x02\xc3\x50\0\x50hello"],
    ] as const,
  )("tells the target who the client is (PROXY protocol %d)", async (proxyProtocol, expected) => {
    const { dial, server: upstream } = target();
    const { client, server } = socketPair();
    const { context } = testContext(server);
    const plugin = forwardThrough(tcpOnly(dial))({ to: "127.0.0.1:1", proxyProtocol });
    const handler = await plugin.onSyn!(arriving().syn, context);
    const served = (handler as Handler)(context, nothing);
    await client.write(bytes("hello"));
    await client.closeWrite();
    await upstream.closeWrite();
    let text = "";
    for await (const chunk of upstream) text += String.fromCharCode(...chunk);
    expect(text).toBe(expected);
    await served;
  });

  // An earlier handler answers by itself or fails: the target must not be left open.
  test.each(["answers", "fails"])(
    "releases the target when the handler before it %s",
    async (how) => {
      const { dial, server: upstream } = target();
      await using pair = new StackPair();
      const inFront = () => {
        if (how === "fails") throw new Error("no");
      };
      pair.server.use(80, inFront, forwardThrough(tcpOnly(dial))({ to: "127.0.0.1:1" }));
      const client = pair.client.connect("10.0.0.2:80");
      await pair.run(client.opened);
      await pair.run(Promise.allSettled([client.read(new Uint8Array(1))]));
      client.abort();
      await expect(textOf(upstream)).rejects.toThrow("reset");
    },
  );

  // An invalid target is reported when the plugin is created.
  test("requires a target with a port", () => {
    const forward = forwardThrough(tcpOnly(() => Promise.reject(new Error("not used"))));
    // @ts-expect-error -- to is required
    expect(() => forward()).toThrow(/^forward: options\.to: /);
    expect(() => forward({ to: "127.0.0.1" })).toThrow(
      'forward: options.to: expected HOST:PORT such as 127.0.0.1:3000 or unix:PATH, got "127.0.0.1"',
    );
    expect(() => forward({ to: "127.0.0.1:0" })).toThrow(/^forward: options\.to: /);
    expect(() => forward({ to: "unix:" })).toThrow(/^forward: options\.to: /);
    expect(() => forward({ to: [] })).toThrow(/or a list of them$/);
    expect(() => forward({ to: ["127.0.0.1:1", "nowhere"] })).toThrow(/got "nowhere"$/);
    expect(() => forward({ to: "127.0.0.1:1", connectTimeoutMs: 0 })).toThrow(/connectTimeoutMs/);
  });
});
