/**
 * Which sent ranges are lost, by time (RACK, RFC 8985 6.2) or after a timeout.
 *
 * @module
 */
import { seqGt } from "../../wire/seq.ts";
import type { Tcb } from "../tcb.ts";
import { TCB } from "../tcb_flags.ts";
import type { Rack } from "./rack.ts";
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
  tcb.congestion.onSegmentLost?.(range, rate, now, tcb.has(TCB.SACK_PERMITTED));
}

/** Nothing was received but what is sacked. */
export function markAllLost(tcb: Tcb, now: number): void {
  const { scoreboard } = tcb;
  for (let i = 0; i < scoreboard.count; i++) markLost(tcb, scoreboard.at(i), now);
}

/** RFC 8985 6.2 step 4. */
function reorderingWindow(rack: Rack, tcb: Tcb): number {
  const { minRtt, srtt, scoreboard, loss, sendMss } = tcb;
  if (!rack.reorderingSeen) {
    if (loss.phase !== "open" || scoreboard.sackedBytes >= 3 * sendMss) return 0;
  }
  return Math.min(minRtt === Infinity ? 0 : rack.patience * minRtt / 4, srtt);
}

/**
 * RFC 8985 6.2 step 5: marks what is lost. Returns in how many milliseconds the next range will
 * be, `Infinity` when none is waiting.
 */
export function detectLosses(tcb: Tcb, now: number): number {
  const { scoreboard } = tcb;
  const { rack } = tcb.loss;
  if (rack === undefined || rack.sentAt === -Infinity) return Infinity;
  const patience = rack.rtt + reorderingWindow(rack, tcb);
  let wait = Infinity;
  for (let i = 0; i < scoreboard.count; i++) {
    const range = scoreboard.at(i);
    if (!wasSentBefore(rack, range)) {
      // Behind what was sent once and later, everything was sent later still.
      if (range.transmissions === 1) break;
      continue;
    }
    if (range.sacked || range.lost) continue;
    const remaining = range.sentAt + patience - now;
    if (remaining <= 0) markLost(tcb, range, now);
    else wait = Math.min(wait, remaining);
  }
  return wait;
}

/**
 * By the order of sending and not by the time: much is sent at one time, and what was sent again
 * would else be lost again at once. Pieces of one super-packet have the order of their numbers.
 */
function wasSentBefore(rack: Rack, range: SentRange): boolean {
  return range.order < rack.order || (range.order === rack.order && seqGt(rack.end, range.end));
}
