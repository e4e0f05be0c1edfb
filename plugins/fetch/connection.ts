/**
 * The connection of one request, read piece by piece.
 *
 * @module
 */
import type { TcpSocket } from "../../core/api/types.ts";
import { CR, LF, textOf } from "../shared/http/characters.ts";

/** How every HTTP/1 response begins. */
const BEGINNING = "HTTP/1.";

/** Bytes that were received and not taken yet, and the means to receive more. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array<ArrayBuffer>>;
  #chunk: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  /** Reads `socket`, which must not be read by other code. */
  constructor(socket: Pick<TcpSocket, typeof Symbol.asyncIterator>) {
    this.#chunks = socket[Symbol.asyncIterator]();
  }

  /** Bytes that were received. */
  get available(): Uint8Array<ArrayBuffer> {
    return this.#chunk;
  }

  /** Takes the first `count` of the available bytes. */
  take(count: number): Uint8Array<ArrayBuffer> {
    const taken = this.#chunk.subarray(0, count);
    this.#chunk = this.#chunk.subarray(count);
    return taken;
  }

  /**
   * Receives more if nothing is available; false at the end.
   *
   * @throws {TcpError} The connection was reset or timed out.
   */
  async fill(): Promise<boolean> {
    while (this.#chunk.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return false;
      this.#chunk = value;
    }
    return true;
  }

  /**
   * Takes the head of a response up to its empty line, as ISO 8859-1 text without that line. `left` is the part of the
   * limit `maxBytes` that interim responses have not used.
   *
   * @throws {TypeError} It is not the head of an HTTP/1 response, it is longer than `left`, or the connection ended
   * within it.
   */
  async takeHead(left: number, maxBytes: number): Promise<string> {
    let text = "";
    let state = 0;
    while (await this.fill()) {
      const { available } = this;
      const room = left - text.length;
      let at = 0;
      while (at < available.length && at < room && state < 4) {
        const byte = available[at++]!;
        if (byte === (state % 2 === 0 ? CR : LF)) state++;
        else state = byte === CR ? 1 : 0;
      }
      text += textOf(this.take(at), 0, at, false);
      if (!BEGINNING.startsWith(text.slice(0, BEGINNING.length))) {
        throw new TypeError(
          `the server does not speak HTTP/1.1: ${JSON.stringify(text.slice(0, 60))}`,
        );
      }
      if (state === 4) return text.slice(0, -4);
      if (text.length >= left) throw headTooLong(maxBytes);
    }
    throw new TypeError(
      text === ""
        ? "the server closed the connection without a response"
        : "the connection ended within the head of the response",
    );
  }
}

/** The error for a response whose head is longer than `maxBytes`. */
export function headTooLong(maxBytes: number): TypeError {
  return new TypeError(`the head of the response is longer than ${maxBytes} bytes`);
}
