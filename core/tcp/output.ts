/**
 * Chooses the next segment: whether one may be sent, its length and its flags (RFC 9293 3.7.4, 3.8).
 *
 * @module
 */
import type { OutgoingPacket } from "../buffers/outgoing_packet.ts";
import { seqDiff } from "../wire/seq.ts";
import { FLAG } from "../wire/tcp.ts";
import { endConnection, releaseResources } from "./close_connection.ts";
import { endForced } from "./forced_segment.ts";
import { resetPersistBackoff } from "./probes.ts";
import { ackNumber } from "./receive_window.ts";
import { bytesInFlight, scheduleProbe } from "./recovery/loss_recovery.ts";
import { ownLoss } from "./recovery/loss_state.ts";
import { currentRto } from "./recovery/rtt.ts";
import type { SentRange } from "./recovery/scoreboard.ts";
import { noteRetransmitted } from "./recovery/undo.ts";
import { ownReordering } from "./reordering.ts";
import { buildSegment, buildSyn, largestText } from "./segment_out.ts";
import type { Tcb } from "./tcb.ts";
import {
  ACK_NOW,
  CORKED,
  ECN,
  FIN_QUEUED,
  FIN_SENT,
  NO_DELAY,
  PASSIVE,
  READ_CLOSED,
  RELEASED,
  RESET_AFTER_ACK,
  RESET_QUEUED,
  SEND_ECT,
  SYN_ACKED,
  SYN_QUEUED,
  WRITER_WAITING,
} from "./tcb_flags.ts";
import {
  restartRetransmissionTimer,
  startRetransmissionTimer,
} from "./timers/retransmission_timer.ts";
import { isRunning, setTimer, stopTimer, TIMER, wholeMs } from "./timers/timers.ts";
import { timestamp } from "./timestamps.ts";

/** Writes the connection's next segment to `out`; returns false if there is none now. */
export function nextSegment(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
  if (tcb.has(RELEASED)) return false;
  return sendSyn(tcb, now, out) || sendReset(tcb, now, out) || retransmitLost(tcb, now, out) ||
    sendNew(tcb, now, out) || sendProbe(tcb, now, out) || sendAck(tcb, now, out) ||
    sendResetAfterAck(tcb, now, out);
}

function sendSyn(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
  if (!tcb.has(SYN_QUEUED)) return false;
  tcb.clear(SYN_QUEUED);
  if (tcb.scoreboard.isEmpty) {
    tcb.sent(tcb.iss, (tcb.iss + 1) | 0, now);
    tcb.outstandingSince = wholeMs(now);
  } else {
    tcb.scoreboard.markRetransmitted(tcb.scoreboard.at(0), now);
    countRetransmission(tcb);
  }
  tcb.sndNxt = (tcb.iss + 1) | 0;
  buildSyn(tcb, now, out);
  const isActive = tcb.state === "SYN-SENT" || !tcb.has(PASSIVE);
  // Profile `local` retransmits the SYN,ACK only when the SYN is retransmitted; see `handshakeTimeout`.
  if (isActive) restartRetransmissionTimer(tcb, now);
  else startRetransmissionTimer(tcb, now);
  return true;
}

/** After abort(), or after close() in profile `local` once all is acknowledged (RFC 9293 3.10.5). */
function sendReset(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
  if (!tcb.has(RESET_QUEUED)) return false;
  buildSegment(tcb, now, out, tcb.sndNxt, 0, FLAG.RST | FLAG.ACK);
  endConnection(tcb, tcb.error);
  return true;
}

/** Profile `local`: a RST follows the acknowledgement of the peer's FIN in FIN-WAIT-2. */
function sendResetAfterAck(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
  if (!tcb.has(RESET_AFTER_ACK) || tcb.rcvAcked !== tcb.rcvNxt) return false;
  tcb.clear(RESET_AFTER_ACK);
  buildSegment(tcb, now, out, tcb.sndNxt, 0, FLAG.RST | FLAG.ACK);
  if (tcb.has(READ_CLOSED)) endConnection(tcb, tcb.error);
  else releaseResources(tcb);
  return true;
}

/** Retransmits a lost range, within the congestion window or as the forced segment. */
function retransmitLost(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
  if (tcb.forced === "tail-probe") return sendTailProbe(tcb, now, out);
  const { scoreboard } = tcb;
  const forced = tcb.forced === "retransmission";
  const range = scoreboard.firstLost();
  if (range === undefined) {
    if (forced) endForced(tcb);
    return false;
  }
  if (!forced && isPaced(tcb, now)) return false;
  const allowed = congestionRoom(tcb);
  if (!forced && allowed < Math.min(tcb.sendMss, range.length)) return false;
  endForced(tcb);
  // Whole segments: the boundaries stay those of the original segments.
  const most = Math.max(tcb.sendMss, Math.min(largestText(tcb), wholeSegments(tcb, allowed)));
  retransmitRange(tcb, range, most, now, out);
  return true;
}

/** RFC 5681 3.1: the window is at least one segment. */
function congestionRoom(tcb: Tcb): number {
  return Math.max(tcb.congestion.cwnd, tcb.sendMss) - bytesInFlight(tcb);
}

/** RFC 9438 5.8: a flight that fills the congestion window is not application-limited. */
function noteFullWindow(tcb: Tcb): void {
  if (congestionRoom(tcb) < tcb.sendMss) tcb.windowFullAt = tcb.sndNxt;
}

function wholeSegments(tcb: Tcb, bytes: number): number {
  return Math.max(0, Math.floor(bytes / tcb.sendMss)) * tcb.sendMss;
}

function retransmitRange(
  tcb: Tcb,
  range: SentRange,
  most: number,
  now: number,
  out: OutgoingPacket,
): void {
  const text = textOf(tcb, range);
  if (text > most) tcb.scoreboard.split(range, (range.start + most) | 0);
  tcb.scoreboard.markRetransmitted(range, now);
  tcb.rate?.sent(range, tcb.scoreboard.inFlight, now);
  countRetransmission(tcb);
  tcb.loss.prr?.sent(range.length);
  noteFullWindow(tcb);
  noteRetransmitted(tcb, range.length);
  pace(tcb, range.length, now);
  emitRange(tcb, range, now, out);
  // RFC 6675 6: with SACK, recovery may last longer than an RTO while SND.UNA does not advance.
  // `unacked` reduces its window only at a timeout, so its timer is not postponed.
  const restarts = tcb.loss.phase === "fast" && range.start === tcb.sndUna &&
    tcb.config.congestion !== "unacked";
  if (restarts) restartRetransmissionTimer(tcb, now);
  else startRetransmissionTimer(tcb, now);
  if (tcb.loss.phase !== "open") scheduleProbe(tcb, now);
  tcb.lastSentAt = wholeMs(now);
}

/** Length of the text in a range, without our FIN. */
function textOf(tcb: Tcb, range: SentRange): number {
  return range.length - (holdsFin(tcb, range) ? 1 : 0);
}

function holdsFin(tcb: Tcb, range: SentRange): boolean {
  return tcb.has(FIN_SENT) && range.end === tcb.sndNxt;
}

function emitRange(tcb: Tcb, range: SentRange, now: number, out: OutgoingPacket): void {
  const text = textOf(tcb, range);
  const fin = holdsFin(tcb, range) ? FLAG.FIN : 0;
  const push = text > 0 && seqDiff(range.end, tcb.pushSeq) >= 0 ? FLAG.PSH : 0;
  buildSegment(tcb, now, out, range.start, text, FLAG.ACK | fin | push);
}

/** RFC 8985 7.3: new data, or else the last segment. */
function sendTailProbe(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
  endForced(tcb);
  const { scoreboard } = tcb;
  if (scoreboard.isEmpty) return false;
  const window = tcb.sndWnd - seqDiff(tcb.sndNxt, tcb.sndUna);
  const length = Math.min(tcb.unsent, tcb.sendMss);
  const isRetransmission = length === 0 || window < length;
  const tsVal = timestamp(tcb, now);
  const loss = ownLoss(tcb);
  if (loss.tailProbe !== undefined) {
    loss.tailProbe.isRetransmission = isRetransmission;
    loss.tailProbe.tsVal = tsVal;
  }
  if (!isRetransmission) {
    sendText(tcb, length, now, out);
    loss.tailProbe = { end: tcb.sndNxt, isRetransmission, tsVal };
    return true;
  }
  let last = scoreboard.at(scoreboard.count - 1);
  if (last.length > tcb.sendMss) {
    scoreboard.split(last, (last.end - tcb.sendMss) | 0);
    last = scoreboard.at(scoreboard.count - 1);
  }
  retransmitRange(tcb, last, tcb.sendMss, now, out);
  return true;
}

/** New data, and the FIN after it. */
function sendNew(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
  if (!tcb.has(SYN_ACKED) || tcb.has(FIN_SENT)) return false;
  const unsent = tcb.unsent;
  if (unsent === 0) {
    noteNothingToSend(tcb);
    return tcb.has(FIN_QUEUED) && sendFin(tcb, now, out);
  }
  const inFlight = seqDiff(tcb.sndNxt, tcb.sndUna);
  const window = tcb.sndWnd - inFlight;
  const congestion = congestionRoom(tcb);
  if (window <= 0) {
    startPersist(tcb, now);
    return false;
  }
  if (isPaced(tcb, now)) return false;
  const allowed = Math.min(window, congestion, burstLimit(tcb));
  const length = Math.min(unsent, allowed);
  if (!isWorthSending(tcb, length, unsent, inFlight)) {
    if (congestion >= Math.min(unsent, window, tcb.sendMss) && window < unsent) {
      startPersist(tcb, now);
    }
    return false;
  }
  // Only the last segment may be partial.
  const whole = length < unsent && length > tcb.sendMss ? length - length % tcb.sendMss : length;
  sendText(tcb, whole, now, out);
  return true;
}

/**
 * draft-ietf-ccwg-bbr 4.1.2.4: the flow is application-limited if the congestion window has room
 * and no retransmission is pending. A writer that waits for room in the send buffer is not the
 * limit: otherwise Startup would never end if sacked data fills the buffer.
 */
function noteNothingToSend(tcb: Tcb): void {
  const { rate, scoreboard } = tcb;
  if (rate === undefined || tcb.has(WRITER_WAITING) || scoreboard.lostBytes > 0) return;
  if (congestionRoom(tcb) <= 0) return;
  rate.markApplicationLimited(scoreboard.inFlight);
}

/** Duration of a burst when pacing: the resolution of timers. */
const PACED_BURST_MS = 1;

/** With pacing, one burst is sent at a time. */
function isPaced(tcb: Tcb, now: number): boolean {
  const ahead = tcb.pacedUntil - now;
  if (tcb.congestion.pacingRate === undefined || ahead < PACED_BURST_MS) return false;
  setTimer(tcb, TIMER.PACE, tcb.pacedUntil);
  return true;
}

function burstLimit(tcb: Tcb): number {
  const { pacingRate } = tcb.congestion;
  const most = largestText(tcb);
  if (pacingRate === undefined) return most;
  return Math.min(most, Math.max(2 * tcb.sendMss, wholeSegments(tcb, pacingRate * PACED_BURST_MS)));
}

function pace(tcb: Tcb, bytes: number, now: number): void {
  const { pacingRate } = tcb.congestion;
  if (pacingRate === undefined) return;
  // A late timer does not reduce the rate.
  tcb.pacedUntil = Math.max(tcb.pacedUntil, now - PACED_BURST_MS) + bytes / pacingRate;
}

/** RFC 9293 3.8.6.2.1, the sender's silly window avoidance, and 3.7.4, Nagle. */
function isWorthSending(tcb: Tcb, length: number, unsent: number, inFlight: number): boolean {
  if (length <= 0) return false;
  if (length >= tcb.sendMss) return true;
  if (tcb.has(CORKED) && !tcb.has(FIN_QUEUED)) return false;
  if (length === unsent) return tcb.has(NO_DELAY) || inFlight === 0 || tcb.has(FIN_QUEUED);
  return length >= tcb.maxSndWnd / 2;
}

function sendText(tcb: Tcb, length: number, now: number, out: OutgoingPacket): void {
  restartAfterIdle(tcb, now);
  const start = tcb.sndNxt;
  const isLast = length === tcb.unsent;
  const hasRoom = seqDiff(tcb.sndNxt, tcb.sndUna) + length < tcb.sndWnd;
  const fin = isLast && tcb.has(FIN_QUEUED) && hasRoom ? 1 : 0;
  const end = (start + length + fin) | 0;
  tcb.bytesOut += length;
  tcb.sndNxt = end;
  tcb.set(FIN_SENT, fin === 1);
  outstanding(tcb, start, end, now);
  const push = isLast || seqDiff(end, tcb.pushSeq) >= 0 ? FLAG.PSH : 0;
  // RFC 3168 6.1.2 and 6.1.5: only new data is ECN-capable, and its first segment has CWR.
  tcb.set(SEND_ECT, tcb.has(ECN));
  buildSegment(tcb, now, out, start, length, FLAG.ACK | push | (fin === 1 ? FLAG.FIN : 0));
}

function sendFin(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
  const start = tcb.sndNxt;
  tcb.sndNxt = (start + 1) | 0;
  tcb.set(FIN_SENT);
  outstanding(tcb, start, tcb.sndNxt, now);
  buildSegment(tcb, now, out, start, 0, FLAG.ACK | FLAG.FIN);
  return true;
}

function outstanding(tcb: Tcb, start: number, end: number, now: number): void {
  if (tcb.scoreboard.isEmpty) tcb.outstandingSince = wholeMs(now);
  const range = tcb.sent(start, end, now);
  tcb.rate?.sent(range, tcb.scoreboard.inFlight, now);
  tcb.loss.prr?.sent(range.length);
  noteFullWindow(tcb);
  pace(tcb, range.length, now);
  tcb.lastSentAt = wholeMs(now);
  stopTimer(tcb, TIMER.PERSIST);
  startRetransmissionTimer(tcb, now);
  // RFC 8985 7.2: rescheduled for each segment, since the timeout depends on the bytes in flight.
  scheduleProbe(tcb, now);
}

/** Restarts congestion control if nothing was sent for longer than the RTO (RFC 5681 4.1). */
function restartAfterIdle(tcb: Tcb, now: number): void {
  if (!tcb.scoreboard.isEmpty) return;
  const { congestion, rate } = tcb;
  if (now - tcb.lastSentAt > currentRto(tcb)) congestion.onIdle();
  if (rate !== undefined) congestion.onRestart?.(rate, now);
}

/** RFC 9293 3.8.6.1: the peer's window is closed and there is data to send. */
function startPersist(tcb: Tcb, now: number): void {
  if (!tcb.scoreboard.isEmpty || isRunning(tcb, TIMER.PERSIST)) return;
  resetPersistBackoff(tcb);
  if (tcb.forced === "window-probe") return;
  tcb.outstandingSince = wholeMs(now);
  setTimer(tcb, TIMER.PERSIST, now + currentRto(tcb));
}

/** A window probe carries one byte of data, a keep-alive none. */
function sendProbe(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
  const forced = tcb.forced;
  if (forced !== "window-probe" && forced !== "keep-alive") return false;
  endForced(tcb);
  if (forced === "keep-alive") {
    // RFC 9293 3.8.4: SEG.SEQ = SND.NXT - 1 is outside the peer's window, so the peer answers.
    buildSegment(tcb, now, out, (tcb.sndNxt - 1) | 0, 0, FLAG.ACK);
    return true;
  }
  if (tcb.scoreboard.isEmpty) {
    if (tcb.unsent === 0) return false;
    // RFC 9293 3.8.6.2.1: sends what fits in a window smaller than a segment, at least one byte.
    const length = Math.max(1, Math.min(tcb.sndWnd, tcb.unsent, tcb.sendMss));
    const start = tcb.sndNxt;
    tcb.sndNxt = (start + length) | 0;
    tcb.bytesOut += length;
    tcb.sent(start, tcb.sndNxt, now);
    tcb.loss.prr?.sent(length);
    buildSegment(tcb, now, out, start, length, FLAG.ACK | FLAG.PSH);
    return true;
  }
  const first = tcb.scoreboard.at(0);
  tcb.scoreboard.split(first, (first.start + 1) | 0);
  tcb.scoreboard.markRetransmitted(first, now);
  tcb.loss.prr?.sent(first.length);
  countRetransmission(tcb);
  emitRange(tcb, first, now, out);
  return true;
}

function sendAck(tcb: Tcb, now: number, out: OutgoingPacket): boolean {
  if (!tcb.has(ACK_NOW) && tcb.reordering.duplicateAcks === 0) return false;
  // No ACK can be sent before the SYN,ACK.
  if (tcb.state === "SYN-SENT" || (tcb.state === "SYN-RECEIVED" && tcb.scoreboard.isEmpty)) {
    tcb.clear(ACK_NOW);
    return false;
  }
  const { duplicateAcks } = tcb.reordering;
  const more = duplicateAcks > 1 && tcb.rcvAcked === ackNumber(tcb);
  if (duplicateAcks > 0) ownReordering(tcb).duplicateAcks = more ? duplicateAcks - 1 : 0;
  buildSegment(tcb, now, out, tcb.sndNxt, 0, FLAG.ACK);
  if (more) tcb.set(ACK_NOW);
  return true;
}

function countRetransmission(tcb: Tcb): void {
  ownLoss(tcb).retransmits++;
  tcb.environment.counts.retransmits++;
}
