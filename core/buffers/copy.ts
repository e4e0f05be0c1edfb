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
    for (let i = 0; i < length; i++) target[at + i] = source[from + i]!;
  } else if (length === source.length) {
    target.set(source, at);
  } else {
    target.set(briefView(source, from, to), at);
  }
}
