/**
 * A pattern of bytes that differs at every offset.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";

/** An odd period, so that misplaced data does not match by chance. */
const PERIOD = 1_000_003;

/** Maximum length of one call of {@link pattern}. */
export const PIECE: number = 256 * 1024;

const bytes = generate();

/** Bytes `from` to `to` of the pattern, at most `PIECE`. They must not be modified. */
export function pattern(from: number, to: number): Uint8Array<ArrayBuffer> {
  const start = from % PERIOD;
  return bytes.subarray(start, start + Math.min(to - from, PIECE));
}

/** The first `count` bytes of the pattern, piece by piece. */
export function* pieces(count: number): Generator<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < count; at += PIECE) yield pattern(at, count);
}

/** The SHA-256 of the first `count` bytes of the pattern. */
export function digestOfPattern(count: number): string {
  const hash = createHash("sha256");
  for (const piece of pieces(count)) hash.update(piece);
  return hash.digest("hex");
}

function generate(): Uint8Array<ArrayBuffer> {
  const period = new Uint8Array(PERIOD);
  seededRandom(1).fill(period);
  const all = new Uint8Array(PERIOD + PIECE);
  all.set(period);
  all.set(period.subarray(0, PIECE), PERIOD);
  return all;
}
