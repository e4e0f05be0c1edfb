/**
 * A pattern of bytes that differs at every offset, and its check.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";

/** Period of the pattern: a prime, so that it does not align with segments. */
const PERIOD = 65_521;
const TIMES = 4;

/** The pattern, sent repeatedly. */
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
  /** Number of bytes so far. */
  bytes = 0;
  /** Number of wrong pieces. */
  mismatches = 0;

  /** Checks the next bytes of the stream. */
  take(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length;) {
      const offset = this.bytes % PERIOD;
      // Twice the period is enough, and stays in the CPU cache.
      const length = Math.min(chunk.length - at, 2 * PERIOD - offset);
      const expected = PATTERN.subarray(offset, offset + length);
      if (Buffer.compare(chunk.subarray(at, at + length), expected) !== 0) this.mismatches++;
      this.bytes += length;
      at += length;
    }
  }

  /** Counts the next bytes without checking them. */
  count(chunk: Uint8Array): void {
    this.bytes += chunk.length;
  }
}
