/**
 * Tells a client of HTTP/2 by its first bytes (RFC 9113 3.4).
 *
 * @module
 */
import { unread } from "../../core/api/tcp/derived_socket.ts";
import { readChunk } from "../../core/api/tcp/read_chunk.ts";
import type { TcpSocket } from "../../core/api/types.ts";
import { PREFACE } from "./frames.ts";

/**
 * Reads until the bytes differ from the preface or are all of it. `undefined`: it was the preface, which
 * has been read; else the connection, on which everything is still to be read. Where the client sends
 * no more it waits, for ever: the caller sets the time.
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
