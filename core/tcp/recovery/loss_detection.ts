/**
 * Loss detection by RACK (RFC 8985 6.2) and after a retransmission timeout.
 *
 * @module
 */
import { seqGt } from "../../wire/seq.ts";
import type { Tcb } from "../tcb.ts";
import { SACK_PERMITTED } from "../tcb_flags.ts";
import type { Rack } from "./rack.ts";
import type { SentRange } from "./scoreboard.ts";

/** Marks a range lost. */
export function markLost(tcb: Tcb, range: SentRange, now: number): void {
  if (range.lost || range.sacked) return;
  tcb.scoreboard.markLost(range);
  const { rate } = tcb;
  if (rate === undefined) return;
  rate.lost += range.length;
  // SYNs and window probes are not sampled.
  if (range.deliveredAt < 0) return;
  tcb.congestion.onSegmentLost?.(range, rate, now, tcb.has(SACK_PERMITTED));
}

/** Marks all ranges lost that are not sacked. */
export function markAllLost(tcb: Tcb, now: number): void {
  const { scoreboard } = tcb;
  for (let i = 0; i < scoreboard.count; i++) markLost(tcb, scoreboard.at(i), now);
}

/** RACK.reo_wnd in milliseconds (RFC 8985 6.2 step 4). */
function reorderingWindow(rack: Rack, tcb: Tcb): number {
  const { minRttUs, srttUs, scoreboard, loss, sendMss } = tcb;
  if (!rack.reorderingSeen) {
    if (loss.phase !== "open" || scoreboard.sackedBytes >= 3 * sendMss) return 0;
  }
  return Math.min(rack.reoWndMult * minRttUs / 4, srttUs) / 1000;
}

/**
 * RFC 8985 6.2 step 5: marks lost ranges. Returns the milliseconds until the next range is lost,
 * `Infinity` if there is none.
 */
export function detectLosses(tcb: Tcb, now: number): number {
  const { scoreboard } = tcb;
  const { rack } = tcb.loss;
  if (rack === undefined || rack.sentAt === -Infinity) return Infinity;
  const timeout = rack.rtt + reorderingWindow(rack, tcb);
  let wait = Infinity;
  for (let i = 0; i < scoreboard.count; i++) {
    const range = scoreboard.at(i);
    if (!wasSentBefore(rack, range)) {
      // This range was sent only once, so the ranges after it were sent later still.
      if (range.transmissions === 1) break;
      continue;
    }
    if (range.sacked || range.lost) continue;
    const remaining = range.sentAt + timeout - now;
    if (remaining <= 0) markLost(tcb, range, now);
    else wait = Math.min(wait, remaining);
  }
  return wait;
}

/**
 * Compares the order of sending rather than the time, because many segments are sent in the same
 * millisecond, and a retransmission would be considered lost at once. Parts of one super-packet are
 * ordered by sequence number.
 */
function wasSentBefore(rack: Rack, range: SentRange): boolean {
  return range.order < rack.order || (range.order === rack.order && seqGt(rack.end, range.end));
}
