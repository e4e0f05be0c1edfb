/**
 * Messages on a TCP connection: each behind its length in two bytes (RFC 1035 4.2.2, RFC 7766 8).
 *
 * @module
 */
import type { TcpSocket } from "../../core/api/types.ts";

const LENGTH_BYTES = 2;

/** A message with its length, to be written at once (RFC 7766 8). */
export function frame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(LENGTH_BYTES + message.length);
  framed[0] = message.length >> 8;
  framed[1] = message.length;
  framed.set(message, LENGTH_BYTES);
  return framed;
}

/** Reads one message after the other; holds one at most. */
export class FrameReader {
  readonly #source: Pick<TcpSocket, "read">;

  constructor(source: Pick<TcpSocket, "read">) {
    this.#source = source;
  }

  /** The next message; `undefined` at the end, also in the middle of one. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const length = await this.#take(LENGTH_BYTES);
    return length && await this.#take((length[0]! << 8) | length[1]!);
  }

  async #take(count: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count;) {
      const taken = await this.#source.read(bytes.subarray(at));
      if (taken === null) return undefined;
      at += taken;
    }
    return bytes;
  }
}
