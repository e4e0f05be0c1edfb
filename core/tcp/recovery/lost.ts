/**
 * What becomes of a segment that is taken for lost by congestion control that goes by the rate of
 * losses.
 *
 * @module
 */
import type { Tcb } from "../tcb.ts";
import type { SentRange } from "./scoreboard.ts";

/** `range` was not received. */
export function markLost(tcb: Tcb, range: SentRange, now: number): void {
  if (range.lost || range.sacked) return;
  tcb.scoreboard.markLost(range);
  const { rate } = tcb;
  if (rate === undefined) return;
  rate.lost += range.length;
  // A SYN or a window probe was not sampled when it was sent.
  if (range.deliveredAt < 0) return;
  tcb.congestion.onSegmentLost?.(range, rate, now, tcb.sackPermitted);
}

/** Nothing was received but what is sacked. */
export function markAllLost(tcb: Tcb, now: number): void {
  const { scoreboard } = tcb;
  for (let i = 0; i < scoreboard.count; i++) markLost(tcb, scoreboard.at(i), now);
}
