/**
 * The bytes of a connection that have been received and not been used yet.
 *
 * @module
 */
import type { TcpSocket } from "../../../core/api/types.ts";

const SMALL = 4096;
const LARGE = 65_536;

/** A window over a reused buffer: `bytes[start..end)`. Holds at most what was asked room for. */
export class Input {
  readonly #socket: Pick<TcpSocket, "read">;
  #filling: Promise<boolean> | undefined;
  /** What holds the bytes; another array after a `fill()` that needed more room. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(SMALL);
  /** Where the unused bytes begin. */
  start = 0;
  /** Where they end. */
  end = 0;

  /** Makes an empty input. */
  constructor(socket: Pick<TcpSocket, "read">) {
    this.#socket = socket;
  }

  /** Unused bytes. */
  get length(): number {
    return this.end - this.start;
  }

  /** Copies up to `max` unused bytes out. */
  take(max: number): Uint8Array<ArrayBuffer> {
    const end = this.start + Math.min(max, this.length);
    const taken = this.bytes.slice(this.start, end);
    this.start = end;
    return taken;
  }

  /**
   * Reads more bytes behind the unused ones, in one go; false at the end of the stream. `large`
   * asks for many at once, for bodies; else the buffer grows only when it is full. Who calls while
   * another waits gets that one's bytes.
   */
  fill(large = false): Promise<boolean> {
    return this.#filling ??= this.#read(large);
  }

  async #read(large: boolean): Promise<boolean> {
    this.#makeRoom(large);
    try {
      const room = this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
      const count = await this.#socket.read(room);
      if (count === null) return false;
      this.end += count;
      return true;
    } finally {
      this.#filling = undefined;
    }
  }

  #makeRoom(large: boolean): void {
    const { length } = this;
    const size = large ? LARGE : SMALL;
    if (length === 0) {
      this.start = this.end = 0;
      // An idle connection keeps the small buffer only.
      if (this.bytes.length !== size) this.bytes = new Uint8Array(size);
    } else if (this.bytes.length < size || this.end === this.bytes.length) {
      this.#move(length === this.bytes.length ? length * 2 : Math.max(size, this.bytes.length));
    }
  }

  #move(size: number): void {
    const { length } = this;
    if (size === this.bytes.length) {
      this.bytes.copyWithin(0, this.start, this.end);
    } else {
      const larger = new Uint8Array(size);
      larger.set(this.bytes.subarray(this.start, this.end));
      this.bytes = larger;
    }
    this.start = 0;
    this.end = length;
  }
}
