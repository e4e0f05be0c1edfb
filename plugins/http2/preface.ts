/**
 * Recognizes HTTP/2 clients by their first bytes (RFC 9113 3.4).
 *
 * @module
 */
import { unread } from "../../core/api/tcp/derived_socket.ts";
import { readChunk } from "../../core/api/tcp/read_chunk.ts";
import type { TcpSocket } from "../../core/api/types.ts";
import { PREFACE } from "./frames.ts";

/**
 * Reads until the bytes are the whole preface or differ from it. Returns `undefined` if the preface has
 * been read, otherwise a socket on which all bytes can be read again. The caller sets a time limit.
 */
export async function readPreface(socket: TcpSocket): Promise<TcpSocket | undefined> {
  const seen = new Uint8Array(PREFACE.length);
  let length = 0;
  while (length < PREFACE.length) {
    const chunk = await readChunk(socket, PREFACE.length - length);
    if (chunk === undefined) return unread(socket, seen.subarray(0, length));
    seen.set(chunk, length);
    const matches = chunk.every((byte, index) => byte === PREFACE[length + index]);
    length += chunk.length;
    if (!matches) return unread(socket, seen.subarray(0, length));
  }
  return undefined;
}
