/**
 * Relays bytes between two connections.
 *
 * @module
 */
import type {
  ClosedListener,
  ReadableListener,
  WritableListener,
} from "../../core/api/tcp/connection_listener.ts";
import type { TcpSocket } from "../../core/api/types.ts";

/** The part of a connection that {@link relay} uses; every {@link TcpSocket} is one. */
export type Duplex =
  & Pick<TcpSocket, "read" | "write" | "closeWrite" | "abort">
  // Faster ways to do the same, for which no buffer is needed while nothing arrives.
  & Partial<Pick<TcpSocket, "views" | "tryWrite">>
  & Partial<NonBlockingReader>
  & {
    /** Number of bytes that `tryWrite` would accept now. */
    readonly room?: number;
    /**
     * Calls `listener` once when there is `room` for a good number of bytes, or when no more are
     * accepted; returns false if that is already the case. One listener at a time.
     */
    whenWritable?(listener: WritableListener): boolean;
    /** Acknowledgements wait, for some milliseconds, for the answer from the other side of the relay. */
    delayAcks?(): void;
    /** Calls `listener` when `closed` settles: takes less memory than a promise. */
    onClosed?(listener: ClosedListener): void;
    /** Calls back at the end of the connection with its smoothed round-trip time, if it has one. */
    onRtt?(callback: (milliseconds: number) => void): void;
    /** Rejects when the connection was reset or timed out. */
    readonly closed: Promise<unknown>;
    /** Ends reading and writing; data already written is still delivered. */
    close(): unknown;
  };

/** Reading without waiting, and without a promise or a buffer while nothing arrives. */
export interface NonBlockingReader {
  /**
   * A view of bytes that have arrived, of at most `room` bytes if the connection has to copy them; the caller
   * calls {@link consume} before it reads on. `null` after the peer's FIN; `undefined`: there is nothing to
   * read at the moment.
   *
   * @throws The connection was reset or timed out.
   */
  tryView(room?: number): Uint8Array | null | undefined;
  /** Releases the view; the first `count` bytes of it have been read, the others are read again. */
  consume(count: number): void;
  /**
   * Calls `listener` once when `tryView` may return something or throw; returns false if it may do so
   * already. One listener at a time.
   */
  whenReadable(listener: ReadableListener): boolean;
}

/** Maximum number of bytes per read from a connection without `tryView`. */
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
export function relay(a: Duplex, b: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = (error: unknown) => error === undefined ? resolve() : reject(error);
    startRelay(a, b, { touch: noop, ended });
  });
}

function noop(): void {}

/** Receives the events of a relay. */
export interface RelayOwner {
  /** Bytes were read or written. */
  touch(): void;
  /**
   * Both connections have ended, with an error if one of them broke; or one of them was held for a move, which leaves
   * the other as it is.
   */
  ended(error: unknown): void;
}

/** {@link relay} without a promise. */
export function startRelay(a: Duplex, b: Duplex, owner: RelayOwner): void {
  new Relay(a, b, owner).start();
}

/**
 * Calls `listener` when a connection has ended. Every connection behind a relay does this, so no
 * promise is kept for it if the connection supports listeners.
 */
export function whenClosed(connection: Duplex, listener: ClosedListener): void {
  if (connection.onClosed !== undefined) return connection.onClosed(listener);
  connection.closed.then(
    () => listener.onClosed(undefined),
    (error) => listener.onClosed(error),
  );
}

/** Two connections. Kept small, since there may be very many that are idle. */
class Relay {
  readonly owner: RelayOwner;
  readonly #a: Duplex;
  readonly #b: Duplex;
  #running = 2;
  #failure: unknown = undefined;

  constructor(a: Duplex, b: Duplex, owner: RelayOwner) {
    this.#a = a;
    this.#b = b;
    this.owner = owner;
  }

  start(): void {
    new Direction(this, this.#a, this.#b).start();
    new Direction(this, this.#b, this.#a).start();
  }

  /** Whether both directions have ended, or {@link stop} was called. */
  get isOver(): boolean {
    return this.#running === 0;
  }

  /** One connection has another owner from now on: nothing more is read, written or closed. */
  stop(): void {
    if (this.isOver) return;
    this.#running = 0;
    this.owner.ended(undefined);
  }

  /** A reset or timeout of one connection aborts the other. */
  fail(error: unknown, other: Duplex): void {
    if (this.isOver) return;
    // A second failure is a consequence of the first one.
    this.#failure ??= error;
    other.abort(error);
  }

  /** Called once for each direction. */
  directionEnded(): void {
    if (!this.isOver && --this.#running === 0) void this.#finish();
  }

  async #finish(): Promise<void> {
    await Promise.allSettled([this.#a.close(), this.#b.close()]);
    this.owner.ended(this.#failure);
  }
}

/** The bytes of one connection on their way to the other. */
class Direction implements ReadableListener, WritableListener, ClosedListener {
  readonly #relay: Relay;
  readonly #from: Duplex;
  readonly #to: Duplex;
  /** `from` has ended, or `to` accepts no more bytes. */
  #hasEnded = false;

  constructor(relay: Relay, from: Duplex, to: Duplex) {
    this.#relay = relay;
    this.#from = from;
    this.#to = to;
  }

  /** Runs until `from` has ended or failed, or until `to` accepts no more bytes. */
  start(): void {
    const from = this.#from;
    from.delayAcks?.();
    whenClosed(from, this);
    if (isNonBlocking(from)) this.#carryAvailable(from);
    else if (from.views !== undefined) void this.#carryViews(from.views());
    else void this.#carryChunks();
  }

  onReadable(): void {
    this.#carryAvailable(this.#from as Duplex & NonBlockingReader);
  }

  onWritable(): void {
    this.#carryAvailable(this.#from as Duplex & NonBlockingReader);
  }

  /**
   * While a write is waiting, a reset is noticed only here. After the end of `from`, its bytes are still
   * delivered, but what `to` sends can no longer be received.
   */
  onClosed(error: unknown): void {
    if (error === undefined || this.#relay.isOver) return;
    if (this.#hasEnded) this.#to.close();
    else this.#relay.fail(error, this.#to);
  }

  onHeld(): void {
    this.#relay.stop();
  }

  #carryAvailable(from: NonBlockingReader): void {
    try {
      while (!this.#hasEnded && !this.#relay.isOver) {
        // What is not read yet waits in the kernel, instead of in a copy here.
        if (this.#to.whenWritable?.(this)) return;
        const view = from.tryView(this.#to.room);
        if (view === undefined) {
          if (from.whenReadable(this)) return;
        } else if (view === null) {
          return void this.#end().then(() => this.#relay.directionEnded());
        } else {
          const taken = this.#tryWrite(view);
          from.consume(taken);
          if (taken < view.length) return void this.#writeRest(from);
        }
      }
    } catch (error) {
      this.#relay.fail(error, this.#to);
    }
    this.#relay.directionEnded();
  }

  /** Continues when `to` accepts bytes again. */
  async #writeRest(from: NonBlockingReader): Promise<void> {
    try {
      const rest = from.tryView();
      if (rest) {
        await this.#write(rest);
        if (this.#relay.isOver) return;
        from.consume(rest.length);
      }
    } catch {
      // The next read throws it again.
    }
    this.#carryAvailable(from);
  }

  async #carryViews(views: AsyncIterator<Uint8Array>): Promise<void> {
    try {
      while (!this.#hasEnded) {
        const { value, done } = await views.next();
        if (done) await this.#end();
        else {
          const taken = this.#tryWrite(value);
          if (taken < value.length) await this.#write(value.subarray(taken));
        }
      }
      await views.return?.();
    } catch (error) {
      this.#relay.fail(error, this.#to);
    }
    this.#relay.directionEnded();
  }

  async #carryChunks(): Promise<void> {
    const chunk = new Uint8Array(CHUNK_SIZE);
    try {
      while (!this.#hasEnded) {
        const size = await this.#from.read(chunk);
        if (size === null) await this.#end();
        else await this.#write(chunk.subarray(0, size));
      }
    } catch (error) {
      this.#relay.fail(error, this.#to);
    }
    this.#relay.directionEnded();
  }

  #tryWrite(bytes: Uint8Array): number {
    this.#relay.owner.touch();
    return this.#to.tryWrite?.(bytes) ?? 0;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { owner } = this.#relay;
    owner.touch();
    await this.#to.write(bytes).catch(() => this.#hasEnded = true);
    owner.touch();
  }

  async #end(): Promise<void> {
    this.#hasEnded = true;
    this.#relay.owner.touch();
    await this.#to.closeWrite().catch(() => {});
  }
}

function isNonBlocking(from: Duplex): from is Duplex & NonBlockingReader {
  return from.tryView !== undefined;
}
