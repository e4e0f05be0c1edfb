/**
 * One segment that is sent whatever the congestion window allows. Timers and loss recovery ask for
 * it, `output.ts` sends it; this module is the only one that writes `Tcb.forced`.
 *
 * @module
 */

/** Which segment; a later request replaces an earlier one. */
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

/** The next segment is sent in any case. */
export function forceSegment(tcb: { forced: ForcedSegment }, segment: ForcedSegment): void {
  tcb.forced = segment;
}

/** The segment was sent, or is not needed any more. */
export function endForced(tcb: { forced: ForcedSegment }): void {
  tcb.forced = "none";
}
