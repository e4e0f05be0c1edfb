import { seededRandom } from "../../adapters/runtime/seeded_random.ts";

/** A prime, so that no buffer or segment size hides a misplaced byte. */
const PERIOD = 65_521;

const BYTES: Uint8Array<ArrayBuffer> = new Uint8Array(PERIOD);
seededRandom(7).fill(BYTES);

/** The bytes of a stream from `position` on; each stream is different. */
export function fillPattern(target: Uint8Array, stream: number, position: number): void {
  let from = (stream * 9973 + position) % PERIOD;
  for (let at = 0; at < target.length;) {
    const count = Math.min(target.length - at, PERIOD - from);
    target.set(BYTES.subarray(from, from + count), at);
    at += count;
    from = 0;
  }
}

/** Index of the first wrong byte, or -1. */
export function findMismatch(bytes: Uint8Array, stream: number, position: number): number {
  let from = (stream * 9973 + position) % PERIOD;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== BYTES[from]) return at;
    if (++from === PERIOD) from = 0;
  }
  return -1;
}
