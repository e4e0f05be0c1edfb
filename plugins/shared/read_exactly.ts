/**
 * Reading a known number of bytes.
 *
 * @module
 */
import type { TcpSocket } from "../../core/api/types.ts";

/**
 * The next `count` bytes, and none after them; `undefined` if the connection ends before.
 *
 * @throws {TcpError} The connection broke.
 */
export async function readExactly(
  source: Pick<TcpSocket, "read">,
  count: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const size = await source.read(bytes.subarray(at));
    if (size === null) return undefined;
    at += size;
  }
  return bytes;
}
