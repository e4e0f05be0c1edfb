/**
 * Relays bytes between two connections.
 *
 * @module
 */
import type { TcpSocket } from "../../core/api/types.ts";

/** The part of a connection that {@link relay} uses; every {@link TcpSocket} is one. */
export type Duplex =
  & Pick<TcpSocket, "read" | "write" | "closeWrite" | "abort">
  & {
    /** Rejects when the connection was reset or timed out. */
    readonly closed: Promise<unknown>;
    /** Ends reading and writing; data already written is still delivered. */
    close(): unknown;
  };

/** Maximum number of bytes buffered per direction: one read. */
const CHUNK_SIZE = 64 * 1024;

/**
 * Relays bytes in both directions until both have ended. The end of one direction becomes a half-close of
 * the other connection (RFC 9293 3.6); a reset or timeout of one connection aborts the other. Holds at
 * most 64 KiB per direction: a side that does not read stops the other side from writing.
 *
 * Resolves when both connections are closed. If a connection no longer accepts bytes, only that
 * direction ends, so that the bytes it has sent are still delivered.
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
  // A second failure is a consequence of the first one.
  if (failures.length > 0) throw failures[0];
}

type Fail = (error: unknown, other: Duplex) => void;

/** Resolves when `from` has ended or failed, or when `to` accepts no more bytes. */
async function carry(from: Duplex, to: Duplex, fail: Fail): Promise<void> {
  let ended = false;
  // While a write is waiting, a reset is noticed only here. After the end of `from`, its bytes are
  // still delivered, but what `to` sends can no longer be received.
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
