/**
 * A stream as the connection of another protocol (RFC 9113 8.5, RFC 8441 5).
 *
 * @module
 */
import type { UpgradedSocket } from "../shared/http/upgrade.ts";

type Bytes = Uint8Array<ArrayBufferLike>;

/** What a tunnel needs of its stream. */
export interface TunnelStream {
  /** Sends data; `undefined`: there was room for all of it. */
  sendData(data: Uint8Array, endsStream: boolean): Promise<void> | undefined;
  /** Opens the windows by what has been dealt with. */
  consume(bytes: number): void;
  /** Ends the stream before its end. */
  reset(): void;
}

/** A read that waits. */
interface WaitingRead {
  readonly target: Bytes;
  readonly resolve: (count: number | null) => void;
}

/**
 * Reads DATA and writes DATA; END_STREAM is what a FIN is on a connection of its own, RST_STREAM a RST.
 * What it keeps is bounded by the stream's window. One reader and one writer at a time.
 */
export class StreamTunnel implements UpgradedSocket {
  readonly #stream: TunnelStream;
  #chunks: Uint8Array[] = [];
  #read: WaitingRead | undefined;
  #hasEnded = false;
  #isLost = false;
  #isWriteEnded = false;
  #writing: Promise<void> = Promise.resolve();

  /** Makes one whose response has been sent. */
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
    const written = this.#writing.then(async () => {
      if (this.#isLost || this.#isWriteEnded) throw new Error("The stream has ended");
      await this.#stream.sendData(bytes, false);
      if (this.#isLost) throw new Error("The stream was reset");
      return bytes.length;
    });
    this.#writing = written.then(() => {}, () => {});
    return written;
  }

  /** Nothing: whoever waits for room before `write` would have to know the stream's window. */
  tryWrite(_bytes: Bytes): number {
    return 0;
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

  /** DATA has come. */
  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#hasEnded) return this.#stream.consume(end - start);
    this.#chunks.push(bytes.slice(start, end));
    this.#serve();
  }

  /** Nothing more comes. */
  end(): void {
    this.#hasEnded = true;
    this.#serve();
  }

  /** The stream is over: nobody reads what has come, or writes. */
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
