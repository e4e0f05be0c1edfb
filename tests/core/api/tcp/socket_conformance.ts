/**
 * Conformance suite for every implementation of `TcpSocket`, so that the fake socket in tests of
 * plugins behaves like the real ones.
 *
 * @module
 */
import { afterEach, beforeEach, describe, expect } from "bun:test";
import { formatHostPort } from "../../../../core/api/host_port.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { type Requirement, requires, testRequiring } from "../../../support/requirements.ts";
import { bytes, codeOf, readText } from "../stack_pair.ts";

/** The peer of the socket under test. */
export interface Peer {
  read(p: Uint8Array): Promise<number | null>;
  write(p: Uint8Array): Promise<unknown>;
  /** Half-closes the connection. */
  closeWrite(): Promise<void>;
  /** Resets the connection. */
  abort(): void;
}

/** An established connection. */
export interface Conversation extends AsyncDisposable {
  /** The socket under test. */
  readonly socket: TcpSocket;
  readonly peer: Peer;
  /** More bytes than all buffers between the two ends hold. */
  readonly moreThanFits: number;
  /** Waits for a promise, in virtual time if available. */
  run<T>(promise: Promise<T>): Promise<T>;
  /** Waits until a condition holds. */
  until(condition: () => boolean): Promise<void>;
  /** Waits until data in flight has arrived. */
  settle(): Promise<void>;
}

/** Differences between the implementations. */
export interface SocketTraits {
  /**
   * A layer between the socket and the connection handles writes, so `tryWrite` accepts nothing.
   */
  readonly hasSlowWrite?: boolean;
  /** Unread bytes may be lost on reset. */
  readonly mayLoseUnreadOnReset?: boolean;
}

/** Values with a length or bytes that are not a Uint8Array. */
const NO_BYTES: readonly unknown[] = [
  "text",
  new ArrayBuffer(4),
  new DataView(new ArrayBuffer(4)),
  new Uint16Array(2),
  [1, 2],
  { length: 4 },
  5,
  null,
  undefined,
];

/** Runs the suite; `open` is called for each test, and its result is disposed of afterwards. */
export function socketConformance(
  name: string,
  open: () => Promise<Conversation>,
  traits: SocketTraits = {},
  ...requirements: readonly Requirement[]
): void {
  const test = (what: string, body: () => Promise<void>) => testRequiring(requirements, what, body);
  describe(`${name} as a TcpSocket`, () => {
    let conversation: Conversation;
    let socket: TcpSocket;
    let peer: Peer;
    let moreThanFits: number;
    const run = <T>(promise: Promise<T>) => conversation.run(promise);

    beforeEach(async () => {
      if (!isRunnable(requirements)) return;
      conversation = await open();
      ({ socket, peer, moreThanFits } = conversation);
    });
    afterEach(async () => {
      if (isRunnable(requirements)) await conversation[Symbol.asyncDispose]();
    });

    /** Reads `size` bytes. */
    const readSome = async (
      from: { read(p: Uint8Array): Promise<number | null> },
      size: number,
    ) => {
      const target = new Uint8Array(size);
      for (let at = 0; at < size;) {
        const count = await run(from.read(target.subarray(at)));
        if (count === null) throw new Error(`the end came after ${at} of ${size} bytes`);
        at += count;
      }
      return new TextDecoder().decode(target);
    };

    /** Whether a promise is still pending after all data in flight has arrived. */
    const isPending = async (promise: Promise<unknown>) => {
      let isSettled = false;
      const settle = () => void (isSettled = true);
      promise.then(settle, settle);
      await conversation.settle();
      return !isSettled;
    };

    describe("reading", () => {
      // Five bytes in two reads; then null at every call.
      test("read fills the array, and returns null after the FIN (RFC 9293 3.10.3)", async () => {
        await run(peer.write(bytes("ahoy!")));
        expect(await readSome(socket, 2)).toBe("ah");
        expect(await readSome(socket, 3)).toBe("oy!");
        const waiting = socket.read(new Uint8Array(9));
        expect(await isPending(waiting)).toBe(true);
        await run(peer.closeWrite());
        expect(await run(waiting)).toBe(null);
        expect(await run(socket.read(new Uint8Array(9)))).toBe(null);
      });

      // The call does not wait for data.
      test("read into an empty array returns 0 at once", async () => {
        expect(await socket.read(new Uint8Array(0))).toBe(0);
        await run(peer.write(bytes("a")));
        expect(await socket.read(new Uint8Array(0))).toBe(0);
        expect(await readSome(socket, 1)).toBe("a");
      });

      // Pending reads are served in the order in which they were made.
      test("pending reads are served in order", async () => {
        const targets = [new Uint8Array(1), new Uint8Array(1), new Uint8Array(1)];
        const reads = targets.map((target) => socket.read(target));
        await run(peer.write(bytes("abc")));
        expect(await run(Promise.all(reads))).toEqual([1, 1, 1]);
        expect(targets.map((target) => target[0])).toEqual([97, 98, 99]);
      });

      // A header is read in a loop, and the rest elsewhere.
      test("iteration can be left and resumed, and ends with the peer's FIN", async () => {
        await run(peer.write(bytes("one")));
        const first = (async () => {
          for await (const chunk of socket) return new TextDecoder().decode(chunk);
        })();
        const begun = await run(first);
        expect("one".startsWith(begun!)).toBe(true);
        await run(peer.write(bytes("two")));
        await run(peer.closeWrite());
        expect(begun + await run(readText(socket))).toBe("onetwo");
        expect((await run(socket[Symbol.asyncIterator]().next())).done).toBe(true);
      });

      // The last view of a loop counts as read.
      test("views can be left and resumed, and end with the peer's FIN", async () => {
        await run(peer.write(bytes("one")));
        const first = (async () => {
          for await (const view of socket.views()) return new TextDecoder().decode(view);
        })();
        const begun = await run(first);
        await run(peer.write(bytes("two")));
        await run(peer.closeWrite());
        expect(begun + await run(readText(socket.views()))).toBe("onetwo");
      });

      // With a BYOB reader and a default reader.
      test("readable is a byte stream that ends with the peer's FIN (WHATWG Streams 4.5)", async () => {
        await run(peer.write(bytes("abcdef")));
        const reader = socket.readable.getReader({ mode: "byob" });
        const { value } = await run(reader.read(new Uint8Array(2)));
        expect(new TextDecoder().decode(value)).toBe("ab");
        reader.releaseLock();
        await run(peer.closeWrite());
        expect(await run(readText(socket.readable))).toBe("cdef");
      });

      // As with Deno.Conn.
      test("cancelling readable closes the socket (Deno.Conn)", async () => {
        await run(socket.readable.cancel("enough"));
        expect(await codeOf(socket.write(bytes("x")))).toBe("CLOSING");
        expect(await run(peer.read(new Uint8Array(9)))).toBe(null);
      });
    });

    describe("writing", () => {
      // All data is in the send buffer when the promise resolves.
      test("write returns the length, and data is received in order", async () => {
        expect(await run(socket.write(bytes("one ")))).toBe(4);
        expect(await run(socket.write(new Uint8Array(0)))).toBe(0);
        const writes = [socket.write(bytes("two ")), socket.write(bytes("three"))];
        expect(await run(Promise.all(writes))).toEqual([4, 5]);
        expect(await readSome(peer, 13)).toBe("one two three");
      });

      // More than all buffers hold, followed by a second write.
      test("write waits while the peer does not read (RFC 9293 3.8.6)", async () => {
        const first = socket.write(new Uint8Array(moreThanFits));
        const second = socket.write(bytes("!"));
        expect(await isPending(first)).toBe(true);
        expect(await isPending(second)).toBe(true);
        expect(socket.tryWrite(bytes("?"))).toBe(0);
        const all = await readSome(peer, moreThanFits + 1);
        expect(all.endsWith("\0!")).toBe(true);
        expect(await run(Promise.all([first, second]))).toEqual([moreThanFits, 1]);
      });

      // A layer with an asynchronous write accepts nothing.
      test("tryWrite accepts what fits, and the array can be reused", async () => {
        const chunk = bytes("abc");
        expect(socket.tryWrite(chunk)).toBe(traits.hasSlowWrite ? 0 : 3);
        chunk.fill(0);
        if (traits.hasSlowWrite) return;
        expect(await readSome(peer, 3)).toBe("abc");
        const taken = socket.tryWrite(new Uint8Array(moreThanFits));
        expect(taken).toBeGreaterThan(0);
        expect(taken).toBeLessThan(moreThanFits);
        expect(socket.tryWrite(bytes("a"))).toBe(0);
      });

      // This is how pipeTo ends.
      test("closing writable is closeWrite, aborting it is abort", async () => {
        const writer = socket.writable.getWriter();
        await run(writer.write(bytes("abc")));
        await run(writer.close());
        expect(await readSome(peer, 3)).toBe("abc");
        expect(await run(peer.read(new Uint8Array(9)))).toBe(null);
        await run(peer.write(bytes("def")));
        expect(await readSome(socket, 3)).toBe("def");
      });

      // The stream cannot continue, and a FIN would look like a complete transfer.
      test("writable aborts the connection if a chunk cannot be written", async () => {
        const writer = socket.writable.getWriter();
        writer.closed.catch(() => {});
        const error = await run(writer.write("text" as never).catch((error) => error));
        expect(error).toBeInstanceOf(TypeError);
        expect(await run(codeOf(socket.closed))).toBe("CONNECTION_ABORTED");
      });
    });

    describe("wrong arguments", () => {
      // The message names the method; the socket stays usable.
      test("read, write and tryWrite accept only a Uint8Array", async () => {
        for (const value of NO_BYTES as readonly never[]) {
          for (
            const [call, result] of [
              ["read", socket.read(value)],
              ["write", socket.write(value)],
              ["tryWrite", Promise.try(() => socket.tryWrite(value))],
            ] as const
          ) {
            const error = await result.catch((error: unknown) => error);
            expect(error).toBeInstanceOf(TypeError);
            expect((error as Error).message).toContain(`${call}: expected a Uint8Array, got `);
          }
        }
        await run(socket.write(bytes("after")));
        expect(await readSome(peer, 5)).toBe("after");
      });

      // A loop that continues with such an array would never block.
      test("read, write and tryWrite refuse a detached array", async () => {
        const lost = detached(new Uint8Array(4));
        for (const result of [socket.read(lost), socket.write(lost)]) {
          expect(await result.catch((error) => error)).toBeInstanceOf(TypeError);
        }
        expect(() => socket.tryWrite(lost)).toThrow("transferred");
      });

      // No byte is lost for the next read.
      test("a pending read whose array is detached returns 0", async () => {
        const lost = new Uint8Array(9);
        const first = socket.read(lost);
        const target = new Uint8Array(9);
        const second = socket.read(target);
        detached(lost);
        await run(peer.write(bytes("ahoy")));
        expect(await run(first)).toBe(0);
        expect(await run(second)).toBe(4);
        expect(new TextDecoder().decode(target.subarray(0, 4))).toBe("ahoy");
      });

      // Invalid values have no effect.
      test("setUserTimeout and setLinger refuse invalid times", async () => {
        expect(() => socket.setUserTimeout(0)).toThrow(TypeError);
        expect(() => socket.setUserTimeout(NaN)).toThrow(TypeError);
        expect(() => socket.setLinger(-1)).toThrow(TypeError);
        socket.setLinger();
        await run(socket.write(bytes("a")));
      });
    });

    describe("ending", () => {
      // Each direction ends independently (RFC 9293 3.6).
      test("closeWrite ends one direction, and closed resolves after both", async () => {
        expect(socket.state).toBe("ESTABLISHED");
        await run(socket.write(bytes("question")));
        await run(socket.closeWrite());
        await run(socket.closeWrite());
        expect(await codeOf(socket.write(bytes("x")))).toBe("CLOSING");
        expect(socket.tryWrite(bytes("x"))).toBe(0);
        expect(await readSome(peer, 8)).toBe("question");
        expect(await run(peer.read(new Uint8Array(9)))).toBe(null);
        await conversation.until(() => socket.state === "FIN-WAIT-2");
        expect(await isPending(socket.closed)).toBe(true);
        await run(peer.write(bytes("answer")));
        await run(peer.closeWrite());
        expect(await run(readText(socket))).toBe("answer");
        expect(await run(socket.closed)).toBe(undefined);
      });

      // The peer half-closes first.
      test("write works after the peer's FIN", async () => {
        await run(peer.closeWrite());
        expect(await run(readText(socket))).toBe("");
        await run(socket.write(bytes("still here")));
        await run(socket.closeWrite());
        expect(await readSome(peer, 10)).toBe("still here");
        expect(await run(peer.read(new Uint8Array(9)))).toBe(null);
        expect(await run(socket.closed)).toBe(undefined);
      });

      // The FIN follows pending writes.
      for (const how of ["closeWrite", "close"] as const) {
        test(`${how} follows pending writes (RFC 9293 3.10.4)`, async () => {
          const writing = socket.write(new Uint8Array(moreThanFits));
          const ended = Promise.resolve(socket[how]());
          expect(await codeOf(socket.write(bytes("x")))).toBe("CLOSING");
          await readSome(peer, moreThanFits);
          expect(await run(writing)).toBe(moreThanFits);
          expect(await run(peer.read(new Uint8Array(9)))).toBe(null);
          await run(ended);
        });
      }

      // A pending read ends too; written data is delivered, and the peer's FIN is not awaited.
      test("close ends reading and writing, and resolves, at every call", async () => {
        const waiting = socket.read(new Uint8Array(9));
        await run(socket.write(bytes("bye")));
        const closing = socket.close();
        expect(await run(waiting)).toBe(null);
        expect(await run(closing)).toBe(undefined);
        expect(await run(socket.close())).toBe(undefined);
        expect(await run(socket.read(new Uint8Array(9)))).toBe(null);
        expect(await run(readText(socket))).toBe("");
        expect(await codeOf(socket.write(bytes("x")))).toBe("CLOSING");
        expect(await readSome(peer, 3)).toBe("bye");
        expect(await run(peer.read(new Uint8Array(9)))).toBe(null);
      });

      // Otherwise a peer that writes more than all buffers hold would block forever (RFC 2525
      // 2.17).
      test("close resets a peer that keeps writing", async () => {
        await run(socket.close());
        const writing = (async () => {
          for (;;) await peer.write(new Uint8Array(100_000));
        })();
        expect(await run(codeOf(writing))).toMatch(/^(CONNECTION_RESET|CLOSING)$/);
      });

      // Leaving the block closes the socket.
      test("await using closes and waits for completion", async () => {
        const done = (async () => {
          await using used = socket;
          await used.write(bytes("bye"));
        })();
        await run(done);
        expect(await readSome(peer, 3)).toBe("bye");
        expect(await run(peer.read(new Uint8Array(9)))).toBe(null);
      });
    });

    describe("abort", () => {
      // Pending calls reject with the reason; the peer gets RST.
      test("rejects pending calls with CONNECTION_ABORTED and the reason (RFC 9293 3.10.5)", async () => {
        const reason = new Error("enough");
        const errors = [
          socket.read(new Uint8Array(9)),
          socket.write(new Uint8Array(moreThanFits)),
          socket.closed,
        ].map((promise: Promise<unknown>) => promise.catch((error) => error));
        await conversation.settle();
        socket.abort(reason);
        for (const error of await run(Promise.all(errors))) {
          expect(error).toMatchObject({ code: "CONNECTION_ABORTED" });
        }
        const [ofRead] = await run(Promise.all(errors));
        expect((ofRead as Error).cause).toBe(reason);
        expect(await run(codeOf(socket.read(new Uint8Array(9))))).toBe("CONNECTION_ABORTED");
        expect(await run(codeOf(socket.write(bytes("x"))))).toBe("CONNECTION_ABORTED");
        expect(socket.tryWrite(bytes("x"))).toBe(0);
        expect(socket.state).toBe("CLOSED");
        socket.abort();
      });

      // All buffers are dropped.
      test("drops unread data", async () => {
        await run(peer.write(bytes("abc")));
        await conversation.settle();
        socket.abort();
        expect(await run(codeOf(socket.read(new Uint8Array(9))))).toBe("CONNECTION_ABORTED");
      });

      // The connection has ended without an error.
      test("after the end has no effect", async () => {
        await run(socket.closeWrite());
        await run(peer.closeWrite());
        expect(await run(readText(socket))).toBe("");
        await run(socket.closed);
        socket.abort();
        expect(await run(socket.closed)).toBe(undefined);
        expect(await run(socket.read(new Uint8Array(9)))).toBe(null);
      });

      // The peer has reset the connection; data received before can be read.
      test("of the peer lets received data be read, then CONNECTION_RESET (RFC 9293 3.5.3)", async () => {
        await run(peer.write(bytes("last words")));
        await conversation.settle();
        peer.abort();
        expect(await run(codeOf(socket.closed))).toBe("CONNECTION_RESET");
        if (!traits.mayLoseUnreadOnReset) expect(await readSome(socket, 10)).toBe("last words");
        expect(await run(codeOf(readText(socket)))).toBe("CONNECTION_RESET");
        expect(await run(codeOf(socket.write(bytes("x"))))).toBe("CONNECTION_RESET");
        const error = await socket.write(bytes("x")).catch((error) => error);
        expect(error.remote).toEqual(socket.remoteAddr);
        expect(error.local).toEqual(socket.localAddr);
        await socket[Symbol.asyncDispose]();
      });
    });

    describe("properties", () => {
      // Text form in `opened`, as WinterTC has it; the object form is Deno's.
      test("opened, localAddr and remoteAddr agree (WinterTC Sockets)", async () => {
        const info = await run(socket.opened);
        expect(info.localAddress).toBe(formatHostPort(socket.localAddr));
        expect(info.remoteAddress).toBe(formatHostPort(socket.remoteAddr));
        expect(info.alpn).toBe(null);
        expect(socket.localAddr.transport).toBe("tcp");
        expect(socket.localAddr).toEqual(socket.localAddr);
        expect(socket.localAddr).not.toEqual(socket.remoteAddr);
      });

      // Received bytes count whether read or not; TLS adds overhead.
      test("stats counts bytes as they are sent and received", async () => {
        await run(socket.write(new Uint8Array(10)));
        await run(peer.write(new Uint8Array(20)));
        const before = socket.stats();
        await conversation.until(() => socket.stats().bytesIn >= (socket.upgraded ? 1 : 20));
        const { bytesIn, bytesOut, state } = socket.stats();
        expect(state).toBe("ESTABLISHED");
        expect(before.bytesOut).toBeLessThanOrEqual(bytesOut);
        if (!socket.upgraded) expect({ bytesIn, bytesOut }).toEqual({ bytesIn: 20, bytesOut: 10 });
      });

      // `state` is a snapshot.
      test("state follows the peer's FIN (RFC 9293 figure 5)", async () => {
        await run(peer.closeWrite());
        expect(await run(readText(socket))).toBe("");
        await conversation.until(() => socket.state === "CLOSE-WAIT");
        await run(socket.closeWrite());
        expect(await run(socket.closed)).toBe(undefined);
        await conversation.until(() => socket.state === "CLOSED");
      });
    });
  });
}

function isRunnable(requirements: readonly Requirement[]): boolean {
  return requires(...requirements).ok;
}

/** Detaches the buffer of an array by transferring it. */
function detached(array: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}
