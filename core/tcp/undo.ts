/**
 * Spurious retransmissions: what was taken for lost arrives after all, and the congestion window
 * is what it was before (RFC 3522 by timestamps, RFC 5682 by what was not sent again).
 *
 * @module
 */
import { seqLt } from "../wire/seq.ts";
import type { Segment } from "../wire/tcp.ts";
import type { AckNews } from "./ack_news.ts";
import type { Tcb } from "./tcb.ts";
import { timestamp } from "./timestamps.ts";

/** What there was before a recovery began. */
export interface UndoPoint {
  readonly cwnd: number;
  readonly ssthresh: number;
  /** The timestamp of the first retransmission. */
  readonly tsVal: number;
}

/** Recovery begins: nothing says yet that it is right. */
export function rememberForUndo(tcb: Tcb, now: number): void {
  const { cwnd, ssthresh } = tcb.congestion;
  tcb.undo = { cwnd, ssthresh, tsVal: timestamp(tcb, now) };
}

/**
 * The first acknowledgement that advances SND.UNA decides: it is either of an original, and all
 * of the recovery was for nothing, or the loss was real.
 */
export function undoIfSpurious(tcb: Tcb, segment: Segment, news: AckNews): void {
  const { undo } = tcb;
  if (undo === undefined || (news.acked === 0 && !news.originalArrived)) return;
  const byTimestamp = tcb.timestamps && segment.hasTimestamps && segment.tsEcr !== 0 &&
    seqLt(segment.tsEcr, undo.tsVal);
  const byOriginal = tcb.recovery === "timeout" && news.originalArrived;
  if (news.acked > 0 || byOriginal) tcb.undo = undefined;
  if (!byTimestamp && !byOriginal) return;
  tcb.congestion.cwnd = Math.max(tcb.congestion.cwnd, undo.cwnd);
  tcb.congestion.ssthresh = Math.max(tcb.congestion.ssthresh, undo.ssthresh);
  tcb.scoreboard.markNoneLost();
  tcb.recovery = "none";
  tcb.forced = "none";
  tcb.spuriousRecoveries++;
}
