/**
 * Reading for who hands bytes on.
 *
 * @module
 */
import type { TcpSocket } from "../types.ts";

/** Bytes that are made room for while one waits for them. */
const CHUNK_SIZE = 16 * 1024;

/**
 * What has come, `most` bytes at most, as an array of its own; `undefined` at the peer's end. To
 * acknowledge it is left to who reads in the end.
 */
export async function readChunk(
  socket: TcpSocket,
  most: number = CHUNK_SIZE,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunk = new Uint8Array(Math.min(most, CHUNK_SIZE));
  const count = await socket.read(chunk);
  return count === null ? undefined : chunk.subarray(0, count);
}
