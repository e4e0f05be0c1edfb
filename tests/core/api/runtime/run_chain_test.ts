import { describe, expect, test } from "bun:test";
import { deriveSocket, unread } from "../../../../core/api/tcp/derived_socket.ts";
import type { Context, Handler, TcpSocket } from "../../../../core/api/types.ts";
import { bytes, codeOf, readText, StackPair } from "../stack_pair.ts";

const echo: Handler = async ({ socket }) => {
  for await (const chunk of socket) await socket.write(chunk);
};

/** Takes its time for each write. */
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
  // A letter is looked at and put back: the echo does not know.
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

  // Values, signal, log, clock and stack are the connection's, whatever the socket.
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

  // The inner handler returns while its write still waits; the FIN goes behind those bytes.
  test("delivers what the replaced socket still holds before the connection is closed", async () => {
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

  // The socket is closed for the rest of the chain, which was all that had it.
  test("closes the socket when the rest has settled", async () => {
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

  // The rest throws: RST, and one line with the reason, though the abort came before it.
  test("aborts the socket when the rest throws, and the stack logs why", async () => {
    await using pair = new StackPair();
    pair.server.use(7, slow, () => {
      throw new Error("oops");
    });
    const client = dial(pair, 7);
    expect(await pair.run(codeOf(readText(client)))).toBe("CONNECTION_RESET");
    expect(pair.lines).toMatchObject([{ level: "error", fields: { port: 7, error: "oops" } }]);
  });

  // That the peer has reset is no fault of the chain's, also behind a replaced socket.
  test("is silent when the peer has reset", async () => {
    await using pair = new StackPair();
    pair.server.use(7, slow, echo);
    const client = dial(pair, 7);
    await pair.run(client.opened);
    client.abort();
    await pair.clock.advance(5000);
    expect(pair.lines).toEqual([]);
    expect(pair.server.stats().connections).toBe(0);
  });

  // Nothing is left to run, and what was written still goes.
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
