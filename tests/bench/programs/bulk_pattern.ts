/**
 * Bytes of which each place in a stream has its own, and their check.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";

/** After so many bytes it begins anew: a prime, so that no number of segments leads back to it. */
const PERIOD = 65_521;
const TIMES = 4;

/** Sent over and over; it ends where it begins. */
export const PATTERN: Uint8Array<ArrayBuffer> = generate();

function generate(): Uint8Array<ArrayBuffer> {
  const once = new Uint8Array(PERIOD);
  seededRandom(7).fill(once);
  const pattern = new Uint8Array(PERIOD * TIMES);
  for (let i = 0; i < TIMES; i++) pattern.set(once, i * PERIOD);
  return pattern;
}

/** Compares a stream with {@link PATTERN}, every byte. */
export class PatternCheck {
  /** Bytes so far. */
  bytes = 0;
  /** Pieces that are not what was sent. */
  mismatches = 0;

  /** The next bytes of the stream. */
  take(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const offset = this.bytes % PERIOD;
      // Twice the period is enough, and stays in the processor's cache.
      const length = Math.min(chunk.length - at, 2 * PERIOD - offset);
      const expected = PATTERN.subarray(offset, offset + length);
      if (Buffer.compare(chunk.subarray(at, at + length), expected) !== 0) this.mismatches++;
      this.bytes += length;
      at += length;
    }
  }

  /** The same without a look at them. */
  count(chunk: Uint8Array): void {
    this.bytes += chunk.length;
  }
}
