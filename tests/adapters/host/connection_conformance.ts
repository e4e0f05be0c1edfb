/**
 * Conformance suite for every implementation of the host's TCP connections. The peers are sockets
 * of the runtime.
 *
 * @module
 */
import { afterEach, describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { HostSocket } from "../../../adapters/host/host_socket.ts";
import type { DialOptions, DialTarget } from "../../../plugins/shared/host_network.ts";
import type { Duplex } from "../../../plugins/shared/relay.ts";
import { Dice } from "../../fuzz/dice.ts";
import { bytes, codeOf, received, textOf } from "../../support/conversation.ts";
import { type Requirement, testRequiring } from "../../support/requirements.ts";

/** An implementation. */
export interface HostSockets {
  dial(target: DialTarget, signal?: AbortSignal, options?: DialOptions): Promise<HostSocket>;
  /** Listens on a free port of 127.0.0.1. */
  listen(onConnection: (connection: HostSocket) => void, options?: DialOptions): Promise<OpenPort>;
}

/** A listening port. */
export interface OpenPort {
  readonly port: number;
  close(): void;
}

const cleanups: (() => unknown)[] = [];

/** Milliseconds until the keep-alive timer of each end is due; `undefined` if it is not running. User-space
 * jiffies are hundredths of a second (proc(5), /proc/net/tcp).
 */
function keepAliveTimers(port: number): (number | undefined)[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").map((row) =>
    row.trim().split(/ +/)
  );
  return rows.filter(([, local, remote, state]) => {
    return state === "01" && (local!.endsWith(`:${hex}`) || remote!.endsWith(`:${hex}`));
  }).map((row) => {
    const [timer, when] = row[5]!.split(":");
    return timer === "02" ? parseInt(when!, 16) * 10 : undefined;
  });
}

/** A server of the runtime; `accepted` is its first connection. */
async function listening(host = "127.0.0.1"): Promise<{ port: number; accepted: Promise<Socket> }> {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    resolve(socket);
  });
  cleanups.push(() => server.close());
  return { port: await portOf(server, host), accepted };
}

function portOf(server: Server, host = "127.0.0.1"): Promise<number> {
  return new Promise((resolve) => {
    server.listen({ host, port: 0 }, () => {
      resolve((server.address() as { port: number }).port);
    });
  });
}

/** Reads everything up to the FIN. */
async function readAll(connection: Duplex, size = 1024): Promise<string> {
  const chunk = new Uint8Array(size);
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const count = await connection.read(chunk);
    if (count === null) return text;
    text += decoder.decode(chunk.subarray(0, count), { stream: true });
  }
}

/**
 * The repeated content of a stream; its length is prime, so that no two buffer boundaries fall on
 * the same offset of it.
 */
const PERIOD = Uint8Array.from({ length: 65_521 }, (_, i) => (i * 31 + (i >>> 8) * 7) & 0xff);

/** `length` bytes of the stream from position `from` on. */
function pattern(from: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const start = (from + at) % PERIOD.length;
    const piece = PERIOD.subarray(start, start + length - at);
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The position `from` if `chunk` differs from the stream there. */
function differsAt(chunk: Uint8Array, from: number): number | undefined {
  return Buffer.compare(chunk, pattern(from, chunk.length)) === 0 ? undefined : from;
}

/** Runs the suite against an implementation that has these requirements. */
export function testHostConnections(
  name: string,
  { dial, listen }: HostSockets,
  needs: readonly Requirement[] = [],
): void {
  const test = (what: string, body: () => Promise<unknown>) => testRequiring(needs, what, body);

  /** A dialled connection, and its peer as a socket of the runtime. */
  async function joined(): Promise<{ connection: HostSocket; peer: Socket }> {
    const { port, accepted } = await listening();
    const connection = await dial({ hostname: "127.0.0.1", port });
    const peer = await accepted;
    cleanups.push(() => connection.abort(), () => peer.destroy());
    return { connection, peer };
  }

  /** An accepted connection, and its peer as a socket of the runtime. */
  async function acceptedFrom(): Promise<{ connection: HostSocket; peer: Socket }> {
    const { promise, resolve } = Promise.withResolvers<HostSocket>();
    const { port, close } = await listen(resolve);
    cleanups.push(close);
    const peer = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    peer.on("error", () => {});
    await new Promise<void>((resolve) => peer.once("connect", resolve));
    const connection = await promise;
    cleanups.push(() => connection.abort(), () => peer.destroy());
    return { connection, peer };
  }

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  for (const [how, join] of [["dialled", joined], ["accepted", acceptedFrom]] as const) {
    describe(`${name}: a connection that was ${how}`, () => {
      // Five bytes, then FIN, read two bytes at a time.
      test("read() fills the array and returns null at the end", async () => {
        const { connection, peer } = await join();
        peer.end("hello");
        const two = new Uint8Array(2);
        expect(await connection.read(two)).toBe(2);
        expect(two).toEqual(bytes("he"));
        expect(await readAll(connection, 2)).toBe("llo");
        expect(await connection.read(two)).toBeNull();
      });

      // Leaving the loop leaves the connection open; the next loop gets the rest.
      test("is iterated by chunks up to the FIN", async () => {
        const { connection, peer } = await join();
        const asked = received(peer);
        peer.write("hello");
        for await (const chunk of connection) {
          expect(chunk).toEqual(bytes("hello"));
          break;
        }
        peer.end(" again");
        expect(await textOf(connection)).toBe(" again");
        await connection.closeWrite();
        expect(await asked).toBe("");
      });

      // The end of the writable stream is the FIN.
      test("has a readable and a writable stream", async () => {
        const { connection, peer } = await join();
        const asked = received(peer);
        await new Blob(["question"]).stream().pipeTo(connection.writable);
        expect(await asked).toBe("question");
        peer.end("answer");
        expect(await new Response(connection.readable).text()).toBe("answer");
        expect(connection.readable).toBe(connection.readable);
      });

      // Nothing is sent, and the connection stays usable.
      test("reads into, and writes, Uint8Arrays only", async () => {
        const { connection, peer } = await join();
        const asked = received(peer);
        for (const value of ["hello", [104], new ArrayBuffer(4), 5, undefined] as never[]) {
          for (
            const [call, result] of [
              ["read", () => connection.read(value)],
              ["write", () => connection.write(value)],
              ["tryWrite", () => connection.tryWrite?.(value) ?? connection.write(value)],
            ] as const
          ) {
            const error = await Promise.try<unknown, []>(result).catch((error: unknown) => error);
            expect([call, error instanceof TypeError]).toEqual([call, true]);
            expect((error as Error).message).toContain(": expected a Uint8Array, got ");
          }
        }
        await connection.write(bytes("after"));
        await connection.closeWrite();
        expect(await asked).toBe("after");
      });

      // A second read would replace the first one, which would wait forever.
      test("refuses a second read while one is pending", async () => {
        const { connection, peer } = await join();
        const first = new Uint8Array(5);
        const reading = connection.read(first);
        const error = await connection.read(new Uint8Array(5)).catch((error: unknown) => error);
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toContain("another read of this connection is pending");
        peer.write("hello");
        expect(await reading).toBe(5);
        expect(first).toEqual(bytes("hello"));
      });

      // Our FIN is sent first, and the peer answers afterwards.
      test("closeWrite() leaves the other direction open (RFC 9293 3.6)", async () => {
        const { connection, peer } = await join();
        const asked = received(peer);
        expect(await connection.write(bytes("question"))).toBe(8);
        await connection.closeWrite();
        expect(await asked).toBe("question");
        peer.end("answer");
        expect(await readAll(connection)).toBe("answer");
        await connection.closed;
      });

      // The peer's FIN arrives first; data written afterwards is delivered.
      test("the peer's FIN leaves our direction open (RFC 9293 3.6)", async () => {
        const { connection, peer } = await join();
        const late = received(peer);
        peer.end();
        expect(await readAll(connection)).toBe("");
        await connection.write(bytes("late"));
        await connection.closeWrite();
        expect(await late).toBe("late");
        await connection.closed;
      });

      // Written before the FIN, in pieces, and more than the kernel takes at once.
      test("closeWrite() sends the FIN after everything written", async () => {
        const { connection, peer } = await join();
        let count = 0;
        let fault: number | undefined;
        peer.on("data", (chunk: Uint8Array) => {
          fault ??= differsAt(chunk, count);
          count += chunk.length;
        });
        const ended = new Promise((resolve) => peer.once("end", resolve));
        const half = 4 << 20;
        const writes = [
          connection.write(pattern(0, half)),
          connection.write(pattern(half, half)),
          connection.closeWrite(),
        ];
        await Promise.all(writes);
        await ended;
        expect(fault).toBeUndefined();
        expect(count).toBe(2 * half);
      });

      // write() after closeWrite().
      test("accepts no bytes after closeWrite()", async () => {
        const { connection } = await join();
        await connection.closeWrite();
        expect(await codeOf(connection.write(bytes("x")))).not.toBe("no error");
      });

      // The peer has sent data that is never read: close(2) would reset the connection and lose the
      // answer.
      test("close() delivers written data despite unread bytes (RFC 2525 2.17)", async () => {
        const { connection, peer } = await join();
        peer.pause();
        peer.write("unread");
        expect(await connection.read(new Uint8Array(1))).toBe(1);
        await connection.write(bytes("answer"));
        connection.close();
        peer.write("more that is unread");
        expect(await received(peer.resume())).toBe("answer");
        peer.end();
        await connection.closed;
      });

      // A read is pending when close() is called.
      test("close() ends a pending read", async () => {
        const { connection, peer } = await join();
        const reading = connection.read(new Uint8Array(1));
        connection.close();
        expect(await reading).toBeNull();
        peer.resume().end();
        await connection.closed;
      });

      // RST: reads fail on both sides.
      test("abort() resets", async () => {
        const { connection, peer } = await join();
        const reset = new Promise<string | undefined>((resolve) =>
          peer.once("error", (error: Error & { code?: string }) => resolve(error.code))
        );
        const reading = connection.read(new Uint8Array(1));
        connection.abort(new Error("enough"));
        expect(await codeOf(reading)).toBe("CONNECTION_ABORTED");
        expect(await codeOf(connection.closed)).toBe("CONNECTION_ABORTED");
        expect(await codeOf(connection.write(bytes("x")))).not.toBe("no error");
        peer.write("x");
        expect(await reset).toMatch(/ECONNRESET|EPIPE/);
      });

      // The peer's RST rejects a pending read and `closed`.
      test("a reset of the peer is CONNECTION_RESET (RFC 9293 3.5.3)", async () => {
        const { connection, peer } = await join();
        const reading = connection.read(new Uint8Array(1));
        peer.resetAndDestroy();
        expect(await codeOf(reading)).toBe("CONNECTION_RESET");
        expect(await codeOf(connection.closed)).toBe("CONNECTION_RESET");
      });

      // A write is waiting for room when the peer resets.
      test("a reset of the peer ends a pending write", async () => {
        const { connection, peer } = await join();
        peer.pause();
        const writing = connection.write(new Uint8Array(32 << 20));
        peer.resetAndDestroy();
        expect(await codeOf(writing)).not.toBe("no error");
        expect(await codeOf(connection.closed)).toBe("CONNECTION_RESET");
      });

      // 32 MiB are not read while the other direction is in use: most of it stays with the sender.
      test("a reader that stops causes backpressure", async () => {
        const { connection, peer } = await join();
        const size = 32 << 20;
        peer.end(new Uint8Array(size));
        for (let i = 0; i < 100; i++) {
          const heard = new Promise((resolve) => peer.once("data", resolve));
          await connection.write(bytes("x"));
          await heard;
        }
        expect(peer.writableLength).toBeGreaterThan(size / 2);
        let count = 0;
        const chunk = new Uint8Array(1 << 16);
        for (let got; (got = await connection.read(chunk)) !== null;) count += got;
        expect(count).toBe(size);
      });

      // The peer does not read at first: a write of 32 MiB waits, and all bytes arrive in order.
      test("a peer that stops reading holds a write back", async () => {
        const { connection, peer } = await join();
        peer.pause();
        const size = 32 << 20;
        let isWritten = false;
        const written = connection.write(pattern(0, size)).then((count) => {
          isWritten = true;
          return count;
        });
        // Bytes in the other direction and back: several turns of the event loop.
        for (let i = 0; i < 20; i++) {
          peer.write("x");
          expect(await connection.read(new Uint8Array(1))).toBe(1);
        }
        expect(isWritten).toBe(false);
        let count = 0;
        let fault: number | undefined;
        const all = new Promise<void>((resolve) => {
          peer.on("data", (chunk: Uint8Array) => {
            fault ??= differsAt(chunk, count);
            count += chunk.length;
            if (count >= size) resolve();
          });
        });
        peer.resume();
        expect(await written).toBe(size);
        await all;
        expect(fault).toBeUndefined();
        expect(count).toBe(size);
      });

      // Both directions at once, 2 MiB each, in pieces of random sizes.
      test("carries every byte both ways in order, whatever the sizes of reads and writes", async () => {
        const { connection, peer } = await join();
        const dice = new Dice(7);
        const size = 2 << 20;
        const sizeAt = (at: number) =>
          Math.min(size - at, 1 + dice.below(dice.chance(0.1) ? 200_000 : 900));
        const faults: (number | undefined)[] = [];
        let heard = 0;
        peer.on("data", (chunk: Uint8Array) => {
          faults.push(differsAt(chunk, heard));
          heard += chunk.length;
        });
        const ended = new Promise((resolve) => peer.once("end", resolve));
        const send = async () => {
          for (let at = 0, length; at < size; at += length) {
            length = sizeAt(at);
            await connection.write(pattern(at, length));
          }
          await connection.closeWrite();
        };
        const answer = async () => {
          for (let at = 0, length; at < size; at += length) {
            length = sizeAt(at);
            if (!peer.write(pattern(at, length))) {
              await new Promise((resolve) => peer.once("drain", resolve));
            }
          }
          peer.end();
        };
        const read = async () => {
          let at = 0;
          for (;;) {
            const chunk = new Uint8Array(1 + dice.below(dice.chance(0.1) ? 200_000 : 900));
            const count = await connection.read(chunk);
            if (count === null) return at;
            faults.push(differsAt(chunk.subarray(0, count), at));
            at += count;
          }
        };
        const [, , count] = await Promise.all([send(), answer(), read(), ended]);
        expect(faults.find((fault) => fault !== undefined)).toBeUndefined();
        expect(count).toBe(size);
        expect(heard).toBe(size);
        await connection.closed;
      });

      // The array's buffer is transferred while the read waits: the next read gets the bytes.
      test("keeps the bytes of a read whose array was transferred", async () => {
        const { connection, peer } = await join();
        const gone = new Uint8Array(8);
        const reading = connection.read(gone);
        structuredClone(gone, { transfer: [gone.buffer] });
        peer.write("kept");
        expect(await reading).toBe(0);
        const chunk = new Uint8Array(8);
        expect(await connection.read(chunk)).toBe(4);
        expect(chunk.subarray(0, 4)).toEqual(bytes("kept"));
      });
    });
  }

  describe(`${name}: keep-alive`, () => {
    // The kernel's timer as /proc shows it: two hours by default, the requested time, or none.
    const rows = [[undefined, 7_200_000], [3_600_000, 3_600_000], [100, 1000], [
      0,
      undefined,
    ]] as const;
    for (const [keepAliveMs, dueMs] of rows) {
      test(`with keepAliveMs ${keepAliveMs} is due after ${dueMs} ms (RFC 9293 3.8.4)`, async () => {
        const { promise: accepted, resolve } = Promise.withResolvers<HostSocket>();
        const { port, close } = await listen(resolve, { keepAliveMs });
        const connection = await dial({ hostname: "127.0.0.1", port }, undefined, { keepAliveMs });
        const peer = await accepted;
        cleanups.push(close, () => connection.abort(), () => peer.abort());
        const ends = keepAliveTimers(port);
        expect(ends.length).toBe(2);
        for (const due of ends) {
          if (dueMs === undefined) expect(due).toBeUndefined();
          else expect(Math.abs(due! - dueMs) < 60_000).toBe(true);
        }
      });
    }

    // The peer of a Unix socket cannot disappear silently.
    test("does not apply to a Unix socket", async () => {
      const server = createServer((socket) => socket.resume());
      const path = join(tmpdir(), `berth-keep-alive-${process.pid}.sock`);
      await new Promise<void>((resolve) => server.listen(path, resolve));
      cleanups.push(() => server.close());
      const connection = await dial({ path });
      connection.abort();
      expect(await codeOf(connection.closed)).toBe("CONNECTION_ABORTED");
    });
  });

  describe(`${name}: dialling`, () => {
    // The port is closed.
    test("rejects with CONNECTION_REFUSED", async () => {
      const server = createServer();
      const port = await portOf(server);
      await new Promise((resolve) => server.close(resolve));
      expect(await codeOf(dial({ hostname: "127.0.0.1", port }))).toBe("CONNECTION_REFUSED");
    });

    // No server has made the path.
    test("a Unix socket that does not exist rejects with CONNECTION_REFUSED", async () => {
      const path = join(tmpdir(), `berth-nowhere-${process.pid}.sock`);
      expect(await codeOf(dial({ path }))).toBe("CONNECTION_REFUSED");
    });

    // Bytes there and back over a Unix socket.
    test("connects to a Unix socket", async () => {
      const path = join(tmpdir(), `berth-dial-${process.pid}.sock`);
      const server = createServer((socket) => void socket.pipe(socket));
      await new Promise<void>((resolve) => server.listen(path, resolve));
      cleanups.push(() => server.close());
      const connection = await dial({ path });
      await connection.write(bytes("through the file system"));
      await connection.closeWrite();
      expect(await readAll(connection)).toBe("through the file system");
      await connection.closed;
    });

    // The name has IPv4 and possibly IPv6 addresses; the server listens on the IPv4 address only.
    test("tries the addresses of a name", async () => {
      const { port, accepted } = await listening();
      const connection = await dial({ hostname: "localhost", port });
      (await accepted).end("found");
      expect(await readAll(connection)).toBe("found");
      await connection.closeWrite();
    });

    // RFC 6761 6.4: no such name exists.
    test("a name without an address rejects with INVALID_ADDRESS", async () => {
      expect(await codeOf(dial({ hostname: "host.invalid", port: 80 }))).toBe("INVALID_ADDRESS");
    });

    // ::1 to ::1.
    testRequiring([...needs, "ipv6"], "connects over IPv6", async () => {
      const { port, accepted } = await listening("::1");
      const connection = await dial({ hostname: "::1", port });
      (await accepted).end("over IPv6");
      expect(await readAll(connection)).toBe("over IPv6");
      await connection.closeWrite();
    });

    // The signal is aborted before and during the attempt.
    test("rejects with the signal's reason", async () => {
      const { port } = await listening();
      const reason = new Error("gone");
      const address = { hostname: "127.0.0.1", port };
      await expect(dial(address, AbortSignal.abort(reason))).rejects.toBe(reason);
      const later = new AbortController();
      const dialled = dial(address, later.signal);
      later.abort(reason);
      await expect(dialled).rejects.toBe(reason);
    });

    // The signal applies to the attempt, not to the connection.
    test("ignores the signal once connected", async () => {
      const { port, accepted } = await listening();
      const signal = new AbortController();
      const connection = await dial({ hostname: "127.0.0.1", port }, signal.signal);
      signal.abort();
      (await accepted).end("still here");
      expect(await readAll(connection)).toBe("still here");
      await connection.closeWrite();
    });

    // 1,000 connections, each of which gets its own bytes back.
    test("keeps 1,000 connections at once apart", async () => {
      const server = createServer((socket) => void socket.on("error", () => {}).pipe(socket));
      const port = await portOf(server);
      cleanups.push(() => server.close());
      const exchange = async (index: number): Promise<string> => {
        const connection = await dial({ hostname: "127.0.0.1", port });
        await connection.write(bytes(`connection ${index}`));
        await connection.closeWrite();
        const text = await readAll(connection);
        await connection.closed;
        return text;
      };
      const indexes = Array.from({ length: 1000 }, (_, i) => i);
      const answers = await Promise.all(indexes.map(exchange));
      expect(answers).toEqual(indexes.map((i) => `connection ${i}`));
    });
  });
}
