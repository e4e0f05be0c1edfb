import { describe, expect, test } from "bun:test";
import { deriveSocket, unread } from "../../../../core/api/tcp/derived_socket.ts";
import type { Context, Handler, TcpSocket } from "../../../../core/api/types.ts";
import { bytes, codeOf, readText, StackPair } from "../stack_pair.ts";

const echo: Handler = async ({ socket }) => {
  for await (const chunk of socket) await socket.write(chunk);
};

/** Delays each write. */
const slow: Handler = ({ socket, clock }, next) =>
  next(deriveSocket(socket, {
    write: async (chunk) => {
      await new Promise<void>((resolve) => clock.schedule(clock.now() + 1000, resolve));
      await socket.write(chunk);
    },
  }));

function dial(pair: StackPair, port: number): TcpSocket {
  return pair.client.connect({ hostname: "10.0.0.2", port }, { allowHalfOpen: true });
}

describe("next(socket)", () => {
  // A byte is read and unread: the echo does not notice.
  test("runs the rest of the chain on that socket", async () => {
    await using pair = new StackPair();
    const seen: (number | undefined)[] = [];
    pair.server.use(7, async ({ socket }, next) => {
      const head = new Uint8Array(1);
      await socket.read(head);
      seen.push(head[0]);
      await next(unread(socket, head));
    }, echo);
    const client = dial(pair, 7);
    await client.write(bytes("ahoy"));
    await client.closeWrite();
    expect(await pair.run(readText(client))).toBe("ahoy");
    expect(seen).toEqual([97]);
  });

  // Values, signal, log, clock and stack are those of the connection, whatever the socket.
  test("shares everything else of the context", async () => {
    await using pair = new StackPair();
    const contexts: Context[] = [];
    pair.server.use(
      7,
      async (c, next) => {
        contexts.push(c);
        c.set("name", "outer");
        await next(deriveSocket(c.socket, {}));
      },
      async (c, next) => {
        contexts.push(c);
        c.set("seen", c.get("name"));
        await next();
      },
      (c) => void contexts.push(c),
    );
    await pair.run(readText(dial(pair, 7)));
    const [outer, inner, last] = contexts as [Context, Context, Context];
    expect(inner.socket).not.toBe(outer.socket);
    expect(last).toBe(inner);
    expect(outer.get<string>("seen")).toBe("outer");
    expect([inner.signal, inner.log, inner.clock, inner.stack])
      .toEqual([outer.signal, outer.log, outer.clock, outer.stack]);
  });

  // The inner handler returns while its write is pending; the FIN follows those bytes.
  test("delivers pending writes of the replaced socket before the connection is closed", async () => {
    await using pair = new StackPair();
    const ended: number[] = [];
    pair.server.use(7, async (c, next) => {
      await slow(c, next);
      ended.push(c.clock.now());
    }, ({ socket }) => {
      void socket.write(bytes("one "));
      void socket.write(bytes("two"));
    });
    const client = dial(pair, 7);
    expect(await pair.run(readText(client))).toBe("one two");
    expect(ended).toHaveLength(1);
    expect(ended[0]).toBeGreaterThanOrEqual(2000);
    await pair.run(client.close());
  });

  // Only the rest of the chain uses the socket, so it is closed afterwards.
  test("closes the socket when the rest of the chain has settled", async () => {
    await using pair = new StackPair();
    const codes: string[] = [];
    pair.server.use(7, async ({ socket }, next) => {
      const replaced = deriveSocket(socket, {});
      await next(replaced);
      codes.push(await codeOf(replaced.write(bytes("late"))));
    }, async ({ socket }) => void await socket.write(bytes("in time")));
    const client = dial(pair, 7);
    expect(await pair.run(readText(client))).toBe("in time");
    expect(codes).toEqual(["CLOSING"]);
    await pair.run(client.close());
  });

  // If the rest of the chain throws, the peer gets a RST, and one log line has the reason, although the abort came
  // first.
  test("aborts the socket when the rest of the chain throws, and the stack logs the reason", async () => {
    await using pair = new StackPair();
    pair.server.use(7, slow, () => {
      throw new Error("oops");
    });
    const client = dial(pair, 7);
    expect(await pair.run(codeOf(readText(client)))).toBe("CONNECTION_RESET");
    expect(pair.lines).toMatchObject([{ level: "error", fields: { port: 7, error: "oops" } }]);
  });

  // A reset by the peer is not an error of the chain, also with a replaced socket.
  test("logs nothing when the peer has reset", async () => {
    await using pair = new StackPair();
    pair.server.use(7, slow, echo);
    const client = dial(pair, 7);
    await pair.run(client.opened);
    client.abort();
    await pair.clock.advance(5000);
    expect(pair.lines).toEqual([]);
    expect(pair.server.stats().connections).toBe(0);
  });

  // No handler is left, and pending writes are still sent.
  test("at the end of the chain closes the socket", async () => {
    await using pair = new StackPair();
    pair.server.use(7, async ({ socket }, next) => {
      const replaced = deriveSocket(socket, {
        closeWrite: async () => {
          await socket.write(bytes("bye"));
          await socket.closeWrite();
        },
      });
      await next(replaced);
    });
    const client = dial(pair, 7);
    expect(await pair.run(readText(client))).toBe("bye");
    await pair.run(client.close());
  });
});
