/**
 * The first bytes of an HTTP/2 client (RFC 9113 3.4).
 *
 * @module
 */
import { unread } from "../../../core/api/tcp/derived_socket.ts";
import { readChunk } from "../../../core/api/tcp/read_chunk.ts";
import type { TcpSocket } from "../../../core/api/types.ts";

const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/**
 * Reads until the bytes differ from the preface or are all of it; `socket` has them again. Where the
 * client sends no more it waits, for ever: the caller sets the time.
 */
export async function readPreface(
  socket: TcpSocket,
): Promise<{ readonly isHttp2: boolean; readonly socket: TcpSocket }> {
  const seen = new Uint8Array(PREFACE.length);
  let length = 0;
  let matches = true;
  while (matches && length < PREFACE.length) {
    const chunk = await readChunk(socket, PREFACE.length - length);
    if (chunk === undefined) matches = false;
    else {
      matches = chunk.every((byte, index) => byte === PREFACE[length + index]);
      seen.set(chunk, length);
      length += chunk.length;
    }
  }
  return { isHttp2: matches, socket: unread(socket, seen.subarray(0, length)) };
}
