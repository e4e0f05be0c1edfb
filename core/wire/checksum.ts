/**
 * The Internet checksum (RFC 1071), as partial sums that can be added.
 *
 * @module
 */
import type { IpAddress } from "./address.ts";
import { quickSum } from "./summed_memory.ts";

/** Below this many bytes, setting up a typed-array view or WebAssembly takes more time than it saves. */
const VIEW_FROM = 128;
/** Maximum number of bytes for {@link addAligned}: the sums of 65,536 low halves and 65,536 high halves fit in 32 bits. */
const MAX_ALIGNED = 256 * 1024;
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Folds a sum of 16-bit words into 16 bits. */
export function fold(sum: number): number {
  // A double holds the sum exactly. Adding the carries is reduction modulo 2^16 - 1.
  let folded = (sum % 65536) + Math.floor(sum / 65536);
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}

/** The value of the checksum field for a sum. */
export function finish(sum: number): number {
  return ~fold(sum) & 0xffff;
}

/**
 * Adds the big-endian 16-bit words of `bytes[start, end)` to `sum`. A trailing odd byte is padded
 * with zero.
 */
export function addBytes(sum: number, bytes: Uint8Array, start: number, end: number): number {
  if (end - start >= VIEW_FROM) {
    const quick = quickSum(bytes, start, end);
    if (quick !== undefined) return sum + swapped(quick);
    const isEven = ((bytes.byteOffset + start) & 1) === 0;
    if (LITTLE_ENDIAN && isEven) {
      let at = start;
      for (; end - at > MAX_ALIGNED; at += MAX_ALIGNED) {
        sum = addAligned(sum, bytes, at, at + MAX_ALIGNED);
      }
      return addAligned(sum, bytes, at, end);
    }
  }
  let i = start;
  for (; i + 1 < end; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  if (i < end) sum += bytes[i]! << 8;
  return sum;
}

/** {@link addBytes} for at most {@link MAX_ALIGNED} bytes from an even address on. */
function addAligned(sum: number, bytes: Uint8Array, start: number, end: number): number {
  let head = start;
  if (((bytes.byteOffset + head) & 3) !== 0) {
    sum += (bytes[head]! << 8) | bytes[head + 1]!;
    head += 2;
  }
  const count = (end - head) >> 2;
  // Signed words stay small integers in both engines; unsigned words may not.
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + head, count);
  let low = 0;
  let high = 0;
  for (let i = 0; i < count; i++) {
    const word = words[i]!;
    low = (low + (word & 0xffff)) | 0;
    high = (high + (word >>> 16)) | 0;
  }
  const native = fold((low >>> 0) + (high >>> 0));
  sum += swapped(native);
  for (let at = head + count * 4; at < end; at += 2) {
    sum += (bytes[at]! << 8) | (at + 1 < end ? bytes[at + 1]! : 0);
  }
  return sum;
}

/** RFC 1071 2(B): the sum can be computed in the other byte order and swapped once at the end. */
function swapped(sum: number): number {
  return ((sum & 0xff) << 8) | (sum >>> 8);
}

/** The sum of the IPv4 (RFC 9293 3.1) or IPv6 (RFC 8200 8.1) pseudo-header. */
export function pseudoHeaderSum(
  source: IpAddress,
  destination: IpAddress,
  protocol: number,
  length: number,
): number {
  return addressSum(source) + addressSum(destination) + protocol + halves(length);
}

/** The sum of an address's words in a pseudo-header. */
export function addressSum(address: IpAddress): number {
  const { w0, w1, w2, w3 } = address;
  return address.isV4 ? halves(w3) : halves(w0) + halves(w1) + halves(w2) + halves(w3);
}

/** The sum of the two 16-bit halves of a 32-bit word. */
export function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}
