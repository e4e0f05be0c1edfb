/**
 * The number of an instance in the timestamps of its connections. TSval is a clock of milliseconds plus an offset
 * (RFC 7323 5.4), which is a secret of the stack; the instance's number is a part of the offset. So every TSecr of the
 * peer identifies the instance that has the connection, while TSval advances by one each millisecond as before: RTT
 * measurement, PAWS and the low bits in which SYN cookies keep options are not affected.
 *
 *     TSval = wall clock + instance * 2^26 + keyed hash of the 4-tuple   (modulo 2^32)
 *
 * @module
 */

/** Maximum number of instances, which are numbered from 0. */
export const MAX_INSTANCES = 64;
/** The mark of segments without timestamps, which identify no instance. */
export const NO_MARK = 255;

/** Marks of adjacent instances are 2^26 ms (18.6 hours) apart: an older TSecr would identify another instance. */
const SPAN_BITS = 26;
/** How far the clock of another instance may be ahead, in milliseconds: 70 minutes. */
const MAX_AHEAD = 2 ** 22;
/** SYN cookies keep options in the bits below (`syn_cookies.ts`). */
const COOKIE_SPAN = 64;

/** The largest age of a TSecr that identifies its instance, in milliseconds. */
export const MAX_MARK_AGE: number = 2 ** SPAN_BITS - MAX_AHEAD;

/**
 * What an instance adds to the clock of its stack and the hash of the 4-tuple. `wallOffset` is the wall clock minus
 * the clock of the stack, in milliseconds.
 */
export function markOffset(instance: number, wallOffset: number): number {
  const rounded = Math.floor(wallOffset / COOKIE_SPAN) * COOKIE_SPAN;
  return (rounded + instance * 2 ** SPAN_BITS) | 0;
}

/**
 * The instance that sent the echoed TSval, if it did so at most {@link MAX_MARK_AGE} ago; `hash` is that of the
 * 4-tuple, `wallNow` the wall clock in milliseconds.
 */
export function instanceOf(tsEcr: number, hash: number, wallNow: number): number {
  const spanMinusAge = tsEcr - hash - Math.floor(wallNow);
  return (((spanMinusAge - MAX_AHEAD) >>> SPAN_BITS) + 1) % MAX_INSTANCES;
}

/** The difference of the offsets of two instances. */
export function markDifference(from: number, to: number): number {
  return (to - from) * 2 ** SPAN_BITS | 0;
}
