/**
 * Spurious retransmissions, detected by timestamps (RFC 3522), by ranges that arrive without a
 * retransmission (RFC 5682), or by D-SACK (RFC 3708). The congestion window is restored.
 *
 * @module
 */
import { seqLt } from "../../wire/seq.ts";
import type { Segment } from "../../wire/tcp.ts";
import type { AckContext } from "../ack_context.ts";
import { endForced } from "../forced_segment.ts";
import type { Tcb } from "../tcb.ts";
import { SACK_PERMITTED, TIMESTAMPS } from "../tcb_flags.ts";
import { timestamp } from "../timestamps.ts";
import { ownLoss, type UndoPoint } from "./loss_state.ts";

/** Recovery begins: saves the state in case it is spurious. */
export function rememberForUndo(tcb: Tcb, byTimeout: boolean, now: number): void {
  const { cwnd, ssthresh } = tcb.congestion;
  const firstLost = tcb.scoreboard.firstLost()?.start ?? tcb.sndUna;
  const tsVal = timestamp(tcb, now);
  ownLoss(tcb).undo = { byTimeout, cwnd, ssthresh, tsVal, firstLost, unreported: 0 };
}

/** `bytes` are retransmitted. */
export function noteRetransmitted(tcb: Tcb, bytes: number): void {
  if (tcb.loss.undo !== undefined) tcb.loss.undo.unreported += bytes;
}

/**
 * Undoes recovery if the acknowledgement shows that it was spurious. `sndUna` is SND.UNA before the
 * acknowledgement.
 */
export function undoIfSpurious(
  tcb: Tcb,
  segment: Segment,
  context: AckContext,
  sndUna: number,
): void {
  const { undo } = tcb.loss;
  if (undo === undefined) return;
  const spurious = isOfOriginal(tcb, undo, segment, context, sndUna) ||
    isAllReported(undo, context);
  // RFC 3522 3.2: a retransmission has filled the hole, so the loss was real.
  const decided = context.acked > 0 && sndUna === undo.firstLost && tcb.has(TIMESTAMPS);
  if (spurious || decided) ownLoss(tcb).undo = undefined;
  if (spurious) undoRecovery(tcb, undo);
}

function isOfOriginal(
  tcb: Tcb,
  undo: UndoPoint,
  segment: Segment,
  context: AckContext,
  sndUna: number,
): boolean {
  // RFC 5682 3: after a timeout, a range arrives that was not retransmitted. Without SACK, it may have
  // arrived before. RFC 5682 2.1 step 1: not if losses were being repaired already.
  if (tcb.has(SACK_PERMITTED) && undo.byTimeout && context.originalArrived) return true;
  // The peer echoes the segment that filled the first hole (RFC 7323 4.3).
  return context.acked > 0 && sndUna === undo.firstLost && tcb.has(TIMESTAMPS) &&
    segment.hasTimestamps && segment.tsEcr !== 0 && seqLt(segment.tsEcr, undo.tsVal);
}

/** RFC 3708 3: everything that was retransmitted had already arrived. */
function isAllReported(undo: UndoPoint, context: AckContext): boolean {
  if (context.duplicateBytes === 0 || undo.unreported === 0) return false;
  undo.unreported = Math.max(0, undo.unreported - context.duplicateBytes);
  return undo.unreported === 0;
}

function undoRecovery(tcb: Tcb, undo: UndoPoint): void {
  tcb.congestion.cwnd = Math.max(tcb.congestion.cwnd, undo.cwnd);
  tcb.congestion.ssthresh = Math.max(tcb.congestion.ssthresh, undo.ssthresh);
  if (tcb.rate !== undefined) tcb.congestion.onSpuriousLoss?.(tcb.rate);
  tcb.scoreboard.markNoneLost();
  const loss = ownLoss(tcb);
  loss.phase = "open";
  loss.spurious++;
  endForced(tcb);
}
