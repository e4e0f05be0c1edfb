/**
 * Joins two connections.
 *
 * @module
 */
import type { TcpSocket } from "../../core/api/types.ts";

/** What {@link relay} needs of a connection; every {@link TcpSocket} is one. */
export type Duplex =
  & Pick<TcpSocket, "read" | "write" | "closeWrite" | "abort">
  & {
    /** Rejects when the connection was reset or timed out. */
    readonly closed: Promise<unknown>;
    /** No more reading and no more writing; what was written is still delivered. */
    close(): unknown;
  };

/** Bytes in flight per direction, at most: one read. */
const CHUNK_SIZE = 64 * 1024;

/**
 * Carries bytes both ways until both directions have ended. The end of one direction is carried as
 * a half-close (RFC 9293 3.6), a reset or a timeout of one connection as an abort of the other one.
 * Holds at most 64 KiB per direction: who does not read stops who writes.
 *
 * Resolves when both ends are closed in order. A connection that stops taking bytes ends its own
 * direction only, so that what it has sent before is still delivered.
 *
 * @throws The error of the connection that was reset or timed out.
 *
 * @example
 * ```ts
 * import { type Context, relay } from "@berth/berth";
 *
 * async function proxy({ socket, stack }: Context) {
 *   const upstream = stack.connect("10.0.0.9:80", { allowHalfOpen: true });
 *   await relay(socket, upstream);
 * }
 *
 * export default proxy;
 * ```
 */
export async function relay(a: Duplex, b: Duplex): Promise<void> {
  const failures: unknown[] = [];
  const fail = (error: unknown, other: Duplex) => {
    failures.push(error);
    other.abort(error);
  };
  await Promise.all([carry(a, b, fail), carry(b, a, fail)]);
  await Promise.allSettled([a.close(), b.close()]);
  // The second failure, if there is one, is what the first one has led to.
  if (failures.length > 0) throw failures[0];
}

type Fail = (error: unknown, other: Duplex) => void;

/** Resolves at the end of `from`, or when it broke, or when `to` takes no more. */
async function carry(from: Duplex, to: Duplex, fail: Fail): Promise<void> {
  let ended = false;
  // A reset is noticed here while a write waits. After the end everything that came is still
  // delivered, and nobody is left who could be given what `to` sends.
  from.closed.catch((error: unknown) => void (ended ? to.close() : fail(error, to)));

  const chunk = new Uint8Array(CHUNK_SIZE);
  try {
    while (!ended) {
      const size = await from.read(chunk);
      ended = size === null;
      const taken: Promise<unknown> = size === null
        ? to.closeWrite()
        : to.write(chunk.subarray(0, size));
      await taken.catch(() => ended = true);
    }
  } catch (error) {
    fail(error, to);
  }
}
