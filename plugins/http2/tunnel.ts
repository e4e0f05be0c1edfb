/**
 * A stream used as a connection by another protocol (RFC 8441 5).
 *
 * @module
 */
import type { UpgradedSocket } from "../shared/http/upgrade.ts";

type Bytes = Uint8Array<ArrayBufferLike>;

/** The part of a stream that its tunnel uses. */
export interface TunnelStream {
  /** Sends data; `undefined` if all of it was framed at once. */
  sendData(data: Uint8Array, endsStream: boolean): Promise<void> | undefined;
  /** Frames as much of `data` as fits into one frame now, and returns the number of bytes. */
  trySendData(data: Uint8Array): number;
  /** Reports consumed bytes, which reopens the windows. */
  consume(bytes: number): void;
  /** Sends RST_STREAM. */
  reset(): void;
}

/** A pending read. */
interface WaitingRead {
  readonly target: Bytes;
  readonly resolve: (count: number | null) => void;
}

/**
 * Maps DATA to bytes, END_STREAM to FIN and RST_STREAM to RST. Buffered bytes are bounded by the
 * stream's window. One reader and one writer at a time.
 */
export class StreamTunnel implements UpgradedSocket {
  readonly #stream: TunnelStream;
  #chunks: Uint8Array[] = [];
  #read: WaitingRead | undefined;
  #hasEnded = false;
  #isLost = false;
  #isWriteEnded = false;
  #writing: Promise<void> = Promise.resolve();
  #pendingWrites = 0;

  /** Creates the tunnel of a stream. */
  constructor(stream: TunnelStream) {
    this.#stream = stream;
  }

  // ---------------------------------------------------------------- the socket

  /** @inheritdoc */
  read(target: Bytes): Promise<number | null> {
    return new Promise((resolve) => {
      this.#read = { target, resolve };
      this.#serve();
    });
  }

  /** @inheritdoc */
  write(bytes: Bytes): Promise<number> {
    this.#pendingWrites++;
    const written = this.#writing.then(async () => {
      if (this.#isLost || this.#isWriteEnded) throw new Error("The stream has ended");
      await this.#stream.sendData(bytes, false);
      if (this.#isLost) throw new Error("The stream was reset");
      return bytes.length;
    }).finally(() => this.#pendingWrites--);
    this.#writing = written.then(() => {}, () => {});
    return written;
  }

  /** @inheritdoc */
  tryWrite(bytes: Bytes): number {
    const isFree = this.#pendingWrites === 0 && !this.#isLost && !this.#isWriteEnded;
    return isFree ? this.#stream.trySendData(bytes) : 0;
  }

  /** @inheritdoc */
  async closeWrite(): Promise<void> {
    await this.#writing;
    if (this.#isLost || this.#isWriteEnded) return;
    this.#isWriteEnded = true;
    await this.#stream.sendData(new Uint8Array(0), true);
  }

  /** @inheritdoc */
  async close(): Promise<undefined> {
    await this.closeWrite();
    this.end();
    return undefined;
  }

  /** @inheritdoc */
  abort(): void {
    if (!this.#isLost) this.#stream.reset();
  }

  // ---------------------------------------------------------------- events of the stream

  /** Received DATA. */
  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#hasEnded) return this.#stream.consume(end - start);
    this.#chunks.push(bytes.slice(start, end));
    this.#serve();
  }

  /** The client has ended its side. */
  end(): void {
    this.#hasEnded = true;
    this.#serve();
  }

  /** The stream is over: discards unread data, fails writes. */
  lose(): void {
    this.#isLost = true;
    for (const chunk of this.#chunks.splice(0)) this.#stream.consume(chunk.length);
    this.end();
  }

  #serve(): void {
    const read = this.#read;
    if (read === undefined) return;
    const count = this.#take(read.target);
    if (count === 0 && !this.#hasEnded) return;
    this.#read = undefined;
    read.resolve(count === 0 ? null : count);
    if (count > 0) this.#stream.consume(count);
  }

  #take(target: Bytes): number {
    let taken = 0;
    while (taken < target.length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      const count = Math.min(chunk.length, target.length - taken);
      target.set(chunk.subarray(0, count), taken);
      taken += count;
      if (count === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(count);
    }
    return taken;
  }
}
