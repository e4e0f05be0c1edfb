/**
 * Reading chunks in order to pass them on.
 *
 * @module
 */
import type { TcpSocket } from "../types.ts";

/** Size of the buffer that is allocated before the data has arrived. */
const CHUNK_SIZE = 16 * 1024;

/**
 * The bytes that have arrived, at most `most`, in an array of their own; `undefined` at the peer's
 * FIN. Does not acknowledge them: that is up to the final reader.
 */
export async function readChunk(
  socket: TcpSocket,
  most: number = CHUNK_SIZE,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunk = new Uint8Array(Math.min(most, CHUNK_SIZE));
  const count = await socket.read(chunk);
  return count === null ? undefined : chunk.subarray(0, count);
}
