/**
 * Relays bytes between two connections.
 *
 * @module
 */
import type { TcpSocket } from "../../core/api/types.ts";

/** The part of a connection that {@link relay} uses; every {@link TcpSocket} is one. */
export type Duplex =
  & Pick<TcpSocket, "read" | "write" | "closeWrite" | "abort">
  // Faster ways to do the same, for which no buffer is needed while nothing arrives.
  & Partial<Pick<TcpSocket, "views" | "tryWrite">>
  & Partial<NonBlockingReader>
  & {
    /** Rejects when the connection was reset or timed out. */
    readonly closed: Promise<unknown>;
    /** Ends reading and writing; data already written is still delivered. */
    close(): unknown;
  };

/** Reading into an array that several connections share. */
export interface NonBlockingReader {
  /**
   * `read` without waiting; `undefined`: there is nothing to read at the moment.
   *
   * @throws The connection was reset or timed out.
   */
  tryRead(p: Uint8Array<ArrayBufferLike>): number | null | undefined;
  /** Resolves when `tryRead` may return something, or throw. */
  whenReadable(): Promise<void>;
}

/** Most bytes read at a time, and most held if the other side does not read. */
const CHUNK_SIZE = 64 * 1024;
/** Most bytes read at a time from a {@link NonBlockingReader} while the other side takes all of them. */
const SHARED_SIZE = 256 * 1024;

/**
 * Relays bytes in both directions until both have ended. The end of one direction becomes a half-close of
 * the other connection (RFC 9293 3.6); a reset or timeout of one connection aborts the other. Holds at
 * most 256 KiB per direction: a side that does not read stops the other side from writing.
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
export function relay(a: Duplex, b: Duplex): Promise<void> {
  return relayTouching(a, b, () => {});
}

/** {@link relay} that calls `touch` whenever bytes were read or written. */
export async function relayTouching(a: Duplex, b: Duplex, touch: () => void): Promise<void> {
  const failures: unknown[] = [];
  const fail = (error: unknown, other: Duplex) => {
    failures.push(error);
    other.abort(error);
  };
  await Promise.all([
    new Direction(a, b, touch).run(fail),
    new Direction(b, a, touch).run(fail),
  ]);
  await Promise.allSettled([a.close(), b.close()]);
  // A second failure is a consequence of the first one.
  if (failures.length > 0) throw failures[0];
}

type Fail = (error: unknown, other: Duplex) => void;

/** Bytes that are written before anything else runs; allocated on first use. */
let shared: Uint8Array<ArrayBuffer> | undefined;

/** The bytes of one connection on their way to the other. */
class Direction {
  readonly #from: Duplex;
  readonly #to: Duplex;
  readonly #touch: () => void;
  /** `from` has ended, or `to` takes no more bytes. */
  #hasEnded = false;

  constructor(from: Duplex, to: Duplex, touch: () => void) {
    this.#from = from;
    this.#to = to;
    this.#touch = touch;
  }

  /** Resolves when `from` has ended or failed, or when `to` takes no more bytes. */
  async run(fail: Fail): Promise<void> {
    const from = this.#from;
    const to = this.#to;
    // While a write is waiting, a reset is noticed only here. After the end of `from`, its bytes are
    // still delivered, but what `to` sends can no longer be received.
    from.closed.catch((error: unknown) => void (this.#hasEnded ? to.close() : fail(error, to)));
    try {
      if (isNonBlocking(from)) await this.#carryShared(from);
      else if (from.views !== undefined) await this.#carryViews(from.views());
      else await this.#carryChunks();
    } catch (error) {
      fail(error, to);
    }
  }

  async #carryShared(from: NonBlockingReader): Promise<void> {
    shared ??= new Uint8Array(SHARED_SIZE);
    let room = shared.subarray(0, CHUNK_SIZE);
    while (!this.#hasEnded) {
      const size = from.tryRead(room);
      if (size === undefined) await from.whenReadable();
      else if (size === null) await this.#end();
      else {
        const bytes = shared.subarray(0, size);
        const taken = this.#tryWrite(bytes);
        if (taken === size) {
          if (size === CHUNK_SIZE) room = shared;
          continue;
        }
        room = shared.subarray(0, CHUNK_SIZE);
        // The next connection that is read from overwrites the rest.
        await this.#write(bytes.slice(taken));
      }
    }
  }

  async #carryViews(views: AsyncIterator<Uint8Array>): Promise<void> {
    while (!this.#hasEnded) {
      const { value, done } = await views.next();
      if (done) await this.#end();
      else {
        const taken = this.#tryWrite(value);
        if (taken < value.length) await this.#write(value.subarray(taken));
      }
    }
    await views.return?.();
  }

  async #carryChunks(): Promise<void> {
    const chunk = new Uint8Array(CHUNK_SIZE);
    while (!this.#hasEnded) {
      const size = await this.#from.read(chunk);
      if (size === null) await this.#end();
      else await this.#write(chunk.subarray(0, size));
    }
  }

  #tryWrite(bytes: Uint8Array): number {
    this.#touch();
    return this.#to.tryWrite?.(bytes) ?? 0;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#touch();
    await this.#to.write(bytes).catch(() => this.#hasEnded = true);
    this.#touch();
  }

  async #end(): Promise<void> {
    this.#hasEnded = true;
    this.#touch();
    await this.#to.closeWrite().catch(() => {});
  }
}

function isNonBlocking(from: Duplex): from is Duplex & NonBlockingReader {
  return from.tryRead !== undefined && from.whenReadable !== undefined;
}
