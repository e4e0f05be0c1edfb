import { seqDiff, seqGt, seqLeq, seqLt } from "../../wire/seq.ts";
import { FLAG, type Segment } from "../../wire/tcp.ts";
import { ACK_CONTEXT, type AckContext } from "../ack_context.ts";
import { growSendBuffer } from "../autotune.ts";
import { endConnection } from "../close_connection.ts";
import { noteCongestionExperienced } from "../ecn.ts";
import { raisePathIfDue } from "../path_mtu.ts";
import { ownProbes, resetPersistBackoff } from "../probes.ts";
import {
  endTailProbe,
  recoverFromLoss,
  scheduleProbe,
  takeSackBlocks,
} from "../recovery/loss_recovery.ts";
import { ownLoss } from "../recovery/loss_state.ts";
import { Rack } from "../recovery/rack.ts";
import { currentRto, handshakeDone, resetBackoff, sampleRtt } from "../recovery/rtt.ts";
import { undoIfSpurious } from "../recovery/undo.ts";
import { transition } from "../state.ts";
import { type Tcb, TCB_EVENT } from "../tcb.ts";
import {
  FIN_QUEUED,
  FIN_RECEIVED,
  FIN_SENT,
  KEEP_ALIVE,
  READ_CLOSED,
  RESET_QUEUED,
  RESET_WHEN_ACKED,
  SACK_PERMITTED,
  SYN_ACKED,
  SYN_QUEUED,
  SYN_UNDECIDED,
  URGENT,
  WRITER_WAITING,
} from "../tcb_flags.ts";
import {
  restartRetransmissionTimer,
  shortenRetransmissionTimer,
  stopRetransmissionTimer,
} from "../timers/retransmission_timer.ts";
import { awaitFin, enterTimeWait } from "../timers/time_wait.ts";
import { isRunning, setTimer, stopTimer, TIMER, wholeMs } from "../timers/timers.ts";
import { echoedRtt } from "../timestamps.ts";
import { challengeAck } from "./challenge.ts";
import type { Verdict } from "./check.ts";
import { updateTsRecent } from "./sequence.ts";

/** Fifth, ACK (RFC 9293 3.10.7.4). */
export function checkAck(tcb: Tcb, segment: Segment, now: number): Verdict {
  if (!segment.has(FLAG.ACK)) return "tcp-no-ack";
  if (tcb.state === "SYN-RECEIVED" && !completeHandshake(tcb, segment, now)) {
    return "tcp-ack-unsent";
  }
  const refused = checkAckRange(tcb, segment, now);
  if (refused !== undefined) return refused;
  tcb.lastReceivedAt = wholeMs(now);
  if (tcb.probes.keepAlives > 0) endKeepAlive(tcb);
  updateTsRecent(tcb, segment, now);
  noteCongestionExperienced(tcb, segment);
  noteUrgent(tcb, segment);
  ACK_CONTEXT.begin(tcb, now);
  takeAck(tcb, segment, ACK_CONTEXT, now);
  ACK_CONTEXT.end();
  return advanceState(tcb, now);
}

/**
 * A keep-alive probe was answered. Frees unused records, since many connections may stay idle for
 * hours.
 */
function endKeepAlive(tcb: Tcb): void {
  ownProbes(tcb).keepAlives = 0;
  tcb.releaseUnusedRecords();
}

/**
 * Sixth, URG (RFC 9293 3.8.5, MUST-31 and MUST-32). Urgent data is delivered in line (RFC 6093 2.1).
 * The pointer is processed before the text, as a closed window must not delay it (MUST-66).
 */
export function noteUrgent(tcb: Tcb, segment: Segment): void {
  if (!segment.has(FLAG.URG)) return;
  const end = (segment.seq + segment.urgentPointer) | 0;
  if (tcb.has(URGENT) && seqLeq(end, tcb.rcvUp)) return;
  tcb.set(URGENT);
  tcb.rcvUp = end;
  tcb.notify(TCB_EVENT.READABLE);
}

/** SYN-RECEIVED to ESTABLISHED; returns false if the stack has to answer with a RST. */
function completeHandshake(tcb: Tcb, segment: Segment, now: number): boolean {
  if (seqLeq(segment.ack, tcb.iss) || seqGt(segment.ack, tcb.sndNxt)) return false;
  if (tcb.has(SYN_UNDECIDED)) return false;
  transition(tcb, tcb.has(FIN_QUEUED) ? "FIN-WAIT-1" : "ESTABLISHED");
  tcb.clear(SYN_QUEUED);
  stopTimer(tcb, TIMER.LIFETIME);
  stopRetransmissionTimer(tcb);
  handshakeDone(tcb);
  tcb.sndWl1 = (segment.seq - 1) | 0;
  tcb.progressAt = wholeMs(now);
  if (tcb.has(KEEP_ALIVE)) setTimer(tcb, TIMER.KEEP_ALIVE, now + tcb.config.keepAliveIdleMs);
  tcb.notify(TCB_EVENT.OPENED | TCB_EVENT.WRITABLE);
  return true;
}

function checkAckRange(tcb: Tcb, segment: Segment, now: number): Verdict {
  if (seqGt(segment.ack, tcb.sndNxt)) {
    challengeAck(tcb, now);
    return "tcp-ack-unsent";
  }
  // RFC 5961 5.2: an ACK this old may be an attacker's guess.
  if (seqLt(segment.ack, (tcb.sndUna - tcb.maxSndWnd) | 0)) {
    challengeAck(tcb, now);
    return "tcp-ack-old";
  }
  return undefined;
}

function takeAck(tcb: Tcb, segment: Segment, context: AckContext, now: number): void {
  const outstanding = !tcb.scoreboard.isEmpty;
  context.isDuplicate = isDuplicate(tcb, segment);
  context.congestionEcho = segment.has(FLAG.ECE);
  context.acked = Math.max(0, seqDiff(segment.ack, tcb.sndUna));
  context.coversAll = segment.ack === tcb.sndNxt;
  const sackedBefore = tcb.scoreboard.sackedBytes;
  const { sndUna } = tcb;
  if (tcb.has(SACK_PERMITTED)) takeSackBlocks(tcb, segment, context);
  if (context.acked > 0) acknowledgeSent(tcb, segment, context, now);
  else {
    if (context.isDuplicate) ownLoss(tcb).duplicateAcks++;
    if (context.rttSample >= 0) takeSackedRtt(tcb, context.rttSample, now);
  }
  context.delivered = context.acked + tcb.scoreboard.sackedBytes - sackedBefore;
  takeWindow(tcb, segment, now);
  if (context.reportsDuplicate) noteDuplicateReport(tcb);
  if (!outstanding) {
    undoIfSpurious(tcb, segment, context, sndUna);
    endTailProbe(tcb, segment, context, now);
    return;
  }
  if (
    context.acked > 0 || context.delivered > 0 || context.isDuplicate || context.reportsDuplicate
  ) {
    undoIfSpurious(tcb, segment, context, sndUna);
    endTailProbe(tcb, segment, context, now);
    recoverFromLoss(tcb, context, now);
    if (context.acked > 0 || tcb.loss.phase !== "open") scheduleProbe(tcb, now);
    if (context.coversAll && tcb.loss.rack?.reorderingSeen === false) ownLoss(tcb).rack = undefined;
  }
}

/** A D-SACK widens RACK's reordering window (RFC 8985 6.2 step 4). */
function noteDuplicateReport(tcb: Tcb): void {
  const loss = ownLoss(tcb);
  loss.rack ??= new Rack();
  loss.rack.noteDuplicate(tcb.sndUna, tcb.sndNxt);
}

/** A duplicate acknowledgement (RFC 5681 2), unless it answers a window probe. */
function isDuplicate(tcb: Tcb, segment: Segment): boolean {
  return segment.ack === tcb.sndUna && segment.length === 0 && !tcb.scoreboard.isEmpty &&
    tcb.sndWnd > 0 && segment.window << tcb.sndWndShift === tcb.sndWnd;
}

/** SEG.ACK acknowledges new data. */
function acknowledgeSent(tcb: Tcb, segment: Segment, context: AckContext, now: number): void {
  const { ack } = segment;
  const synAcked = tcb.has(SYN_ACKED) ? 0 : 1;
  const finAcked = tcb.has(FIN_SENT) && ack === tcb.sndNxt ? 1 : 0;
  tcb.acknowledged(ack, context);
  const rtt = context.rttSample >= 0 ? context.rttSample : echoedRtt(tcb, segment, now);
  if (rtt >= 0) sampleRtt(tcb, rtt);
  raisePathIfDue(tcb, now);
  growSendBuffer(tcb, seqDiff(tcb.sndNxt, tcb.sndUna));
  resetBackoff(tcb);
  const bytes = context.acked - synAcked - finAcked;
  tcb.sndUna = ack;
  tcb.set(SYN_ACKED);
  if (bytes > 0) dropAcknowledged(tcb, bytes);
  tcb.progressAt = wholeMs(now);
  tcb.softError = undefined;
  if (isRunning(tcb, TIMER.PERSIST)) restartPersist(tcb, now);
  // RFC 6298 5.2 and 5.3.
  if (tcb.scoreboard.isEmpty) stopRetransmissionTimer(tcb);
  else restartRetransmissionTimer(tcb, now);
}

/**
 * A sacked range that was sent once is a valid RTT sample (RFC 6298 3), which ends the backoff
 * (RFC 6298 5). SND.UNA does not advance while one segment is lost repeatedly, so the timer of that
 * segment is shortened to the new RTO.
 */
function takeSackedRtt(tcb: Tcb, rtt: number, now: number): void {
  sampleRtt(tcb, rtt);
  shortenRetransmissionTimer(tcb, now);
}

/** The peer accepted the byte of a window probe: the probe interval is reset. */
function restartPersist(tcb: Tcb, now: number): void {
  resetPersistBackoff(tcb);
  setTimer(tcb, TIMER.PERSIST, now + currentRto(tcb));
}

function dropAcknowledged(tcb: Tcb, bytes: number): void {
  tcb.send.drop(bytes);
  if (tcb.has(WRITER_WAITING)) tcb.notify(TCB_EVENT.WRITABLE);
}

/** RFC 9293 3.10.7.4: an old segment does not overwrite a newer window. */
function takeWindow(tcb: Tcb, segment: Segment, now: number): void {
  const isNewer = seqLt(tcb.sndWl1, segment.seq) ||
    (tcb.sndWl1 === segment.seq && seqLeq(tcb.sndWl2, segment.ack));
  if (!isNewer) return;
  tcb.sndWl1 = segment.seq;
  tcb.sndWl2 = segment.ack;
  const window = segment.window << tcb.sndWndShift;
  if (window > tcb.maxSndWnd) tcb.maxSndWnd = window;
  const opened = window > 0 && tcb.sndWnd === 0;
  tcb.sndWnd = window;
  if (opened) leavePersist(tcb, now);
}

/** The window opened: the byte of the probe is sent again as data. */
function leavePersist(tcb: Tcb, now: number): void {
  resetPersistBackoff(tcb);
  stopTimer(tcb, TIMER.PERSIST);
  if (tcb.scoreboard.isEmpty) return;
  const first = tcb.scoreboard.at(0);
  if (first.length === 1 && tcb.scoreboard.count === 1) tcb.scoreboard.markLost(first);
  // The probe was repeated after an RTO: what follows it did not fit in the window either.
  else if (first.length === 1 && first.transmissions > 1) tcb.scoreboard.markAllLost();
  restartRetransmissionTimer(tcb, now);
}

/** State changes when our FIN is acknowledged. */
function advanceState(tcb: Tcb, now: number): Verdict {
  if (!tcb.allAcknowledged) return undefined;
  // A RST before the peer's FIN would be an error for its application: Linux reports EPIPE in
  // CLOSE-WAIT. So FIN-WAIT-2 waits for the FIN.
  if (tcb.has(RESET_WHEN_ACKED) && tcb.has(FIN_RECEIVED)) {
    tcb.set(RESET_QUEUED);
    return "taken";
  }
  if (tcb.state === "FIN-WAIT-1") {
    transition(tcb, "FIN-WAIT-2");
    if (tcb.has(READ_CLOSED)) awaitFin(tcb, now);
    tcb.notify(TCB_EVENT.WRITABLE);
  } else if (tcb.state === "CLOSING" && tcb.config.finish === "time-wait") {
    enterTimeWait(tcb, now);
  } else if (tcb.state === "CLOSING") {
    // Profile `local`: both directions have ended. The RST waits for close(), for a limited time.
    setTimer(tcb, TIMER.LIFETIME, now + 2 * tcb.config.msl);
    tcb.notify(TCB_EVENT.READABLE | TCB_EVENT.ENDED);
  } else if (tcb.state === "LAST-ACK") {
    endConnection(tcb, undefined);
    return "taken";
  }
  return undefined;
}
