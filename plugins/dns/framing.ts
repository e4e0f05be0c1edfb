/**
 * Messages on a TCP connection, each with a two-byte length prefix (RFC 1035 4.2.2, RFC 7766 8).
 *
 * @module
 */
import type { TcpSocket } from "../../core/api/types.ts";
import { readU16, writeU16 } from "../../core/wire/bytes.ts";
import { readExactly } from "../shared/read_exactly.ts";

const LENGTH_BYTES = 2;

/** A message with its length, to be sent in one write (RFC 7766 8). */
export function frame(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(LENGTH_BYTES + message.length);
  writeU16(framed, 0, message.length);
  framed.set(message, LENGTH_BYTES);
  return framed;
}

/** Reads messages one by one; buffers at most one. */
export class FrameReader {
  readonly #source: Pick<TcpSocket, "read">;

  constructor(source: Pick<TcpSocket, "read">) {
    this.#source = source;
  }

  /** The next message; `undefined` at the end of the connection, even in the middle of a message. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const length = await readExactly(this.#source, LENGTH_BYTES);
    return length && await readExactly(this.#source, readU16(length, 0));
  }
}
