/**
 * One segment that is sent regardless of the congestion window. Timers and loss recovery request
 * it, and `output.ts` sends it; only this module writes `Tcb.forced`.
 *
 * @module
 */

/** Which segment to send; a later request replaces an earlier one. */
export type ForcedSegment =
  | "none"
  /** The first lost range (RFC 6675 5 step 4.3, RFC 6298 5.4). */
  | "retransmission"
  /** RFC 8985 7.3. */
  | "tail-probe"
  /** RFC 9293 3.8.6.1. */
  | "window-probe"
  /** RFC 9293 3.8.4. */
  | "keep-alive";

/** Requests a segment regardless of the congestion window. */
export function forceSegment(tcb: { forced: ForcedSegment }, segment: ForcedSegment): void {
  tcb.forced = segment;
}

/** The segment was sent, or is no longer needed. */
export function endForced(tcb: { forced: ForcedSegment }): void {
  tcb.forced = "none";
}
