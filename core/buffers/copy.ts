/**
 * Copies between arrays of bytes.
 *
 * @module
 */
import { briefView } from "../wire/summed_memory.ts";

/** Up to this many bytes, a loop is faster than allocating a view for `set`. */
const SHORT = 96;

/** Copies `source[from, to)` to `target` at `at`. The caller ensures that it fits. */
export function copyBytes(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
): void {
  const length = to - from;
  if (length <= SHORT) {
    copyShort(source, from, to, target, at + length - 1);
  } else if (length === source.length) {
    target.set(source, at);
  } else {
    target.set(briefView(source, from, to), at);
  }
}

/**
 * Copies backwards, eight bytes per iteration, so that the last byte lands at `last`: the engines
 * compile this to code up to three times as fast as a plain forward loop.
 */
function copyShort(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  last: number,
): void {
  let i = to - 1;
  let j = last;
  for (; i >= from + 7; i -= 8, j -= 8) {
    target[j] = source[i]!;
    target[j - 1] = source[i - 1]!;
    target[j - 2] = source[i - 2]!;
    target[j - 3] = source[i - 3]!;
    target[j - 4] = source[i - 4]!;
    target[j - 5] = source[i - 5]!;
    target[j - 6] = source[i - 6]!;
    target[j - 7] = source[i - 7]!;
  }
  for (; i >= from; i--, j--) target[j] = source[i]!;
}
