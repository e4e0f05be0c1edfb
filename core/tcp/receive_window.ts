/**
 * Acknowledgement number and window of outgoing segments.
 *
 * @module
 */
import { seqDiff, seqLt, seqMax } from "../wire/seq.ts";
import { growReceiveBuffer } from "./autotune.ts";
import { ownReordering } from "./reordering.ts";
import type { Tcb } from "./tcb.ts";
import { ACK_NOW, DELAYS_ACKS, FIN_RECEIVED, RELEASED } from "./tcb_flags.ts";
import { isRunning, setTimer, TIMER, wholeMs } from "./timers/timers.ts";

/**
 * How long an acknowledgement waits for the application's answer, if the application has asked for that, in
 * milliseconds: a peer with Nagle's algorithm may hold back its next bytes until it is acknowledged.
 */
const ANSWER_MS = 10;

/** Bytes before this count as consumed. */
function consumedSeq(tcb: Tcb): number {
  return tcb.config.acknowledge === "on-processed" ? tcb.processedSeq : tcb.receive.readSeq;
}

/** SEG.ACK of the next segment. */
export function ackNumber(tcb: Tcb): number {
  if (tcb.config.acknowledge === "on-arrival") return tcb.rcvNxt;
  const consumed = consumedSeq(tcb);
  // The FIN is acknowledged with the last byte before it.
  const taken = tcb.has(FIN_RECEIVED) && ((consumed + 1) | 0) === tcb.rcvNxt
    ? tcb.rcvNxt
    : consumed;
  return seqMax(seqMax(tcb.rcvAcked, tcb.ackFloor), taken);
}

/** The right edge of the window that the buffer allows. */
function allowedEdge(tcb: Tcb): number {
  return seqMax((consumedSeq(tcb) + tcb.receiveLimit) | 0, tcb.offeredEdge);
}

/** RFC 9293 3.8.6.2.2: the edge moves by at least min(buffer / 2, MSS), or not at all. */
function edgeWorthOffering(tcb: Tcb): number {
  const edge = allowedEdge(tcb);
  const least = Math.min(tcb.receiveLimit >> 1, tcb.localMss);
  return seqDiff(edge, tcb.offeredEdge) >= least ? edge : tcb.offeredEdge;
}

/** Returns the window field of a segment that acknowledges `ack`, and records the offered edge. */
export function offerWindow(tcb: Tcb, ack: number): number {
  const shift = tcb.rcvWndShift;
  tcb.offeredEdge = edgeWorthOffering(tcb);
  const window = Math.max(0, seqDiff(tcb.offeredEdge, ack));
  // RFC 7323 2.3: rounded down, unless that shrinks the window (RFC 7323 2.4, RFC 9293 3.8.6,
  // SHLD-14). The bytes added by rounding up are not part of `offeredEdge`, where they would
  // accumulate.
  const down = window >>> shift;
  const wouldShrink = seqLt((ack + (down << shift)) | 0, tcb.rcvEdge);
  const field = Math.min(wouldShrink ? (window + (1 << shift) - 1) >>> shift : down, 0xffff);
  tcb.rcvEdge = seqMax(tcb.rcvEdge, (ack + (field << shift)) | 0);
  return field;
}

/** The window field of a SYN or SYN,ACK, which is not scaled (RFC 7323 2.2). */
export function offerInitialWindow(tcb: Tcb): number {
  const field = Math.min(tcb.receiveLimit, 0xffff);
  tcb.offeredEdge = seqMax(tcb.offeredEdge, (tcb.rcvNxt + field) | 0);
  tcb.rcvEdge = seqMax(tcb.rcvEdge, tcb.offeredEdge);
  return field;
}

/** The smallest shift count with which the window field covers the buffer (RFC 7323 2.3). */
export function windowShift(limit: number): number {
  let shift = 0;
  while (shift < 14 && limit >>> shift > 0xffff) shift++;
  return shift;
}

/** The application has read or processed bytes. */
export function bytesConsumed(tcb: Tcb, now: number): void {
  tcb.lastReadAt = wholeMs(now);
  if (tcb.has(RELEASED)) return;
  growReceiveBuffer(tcb, now);
  if (tcb.config.acknowledge === "on-arrival") {
    if (isUpdateDue(tcb)) tcb.set(ACK_NOW);
    return;
  }
  const owed = seqDiff(ackNumber(tcb), tcb.rcvAcked);
  if (owed > 0) acknowledgeText(tcb, owed, now);
  else if (isUpdateDue(tcb)) tcb.set(ACK_NOW);
}

/**
 * Whether the window has opened enough for an update (RFC 9293 3.8.6.2.2); none is sent after the
 * peer's FIN.
 */
function isUpdateDue(tcb: Tcb): boolean {
  return !tcb.has(FIN_RECEIVED) && edgeWorthOffering(tcb) !== tcb.offeredEdge;
}

/**
 * Acknowledges `owed` bytes: at once if they are two full segments (RFC 9293 3.8.6.3, SHLD-19), else
 * after the delay.
 */
export function acknowledgeText(tcb: Tcb, owed: number, now: number): void {
  if (tcb.reordering.quickAcks > 0) {
    ownReordering(tcb).quickAcks--;
    tcb.set(ACK_NOW);
  } else if (owed >= 2 * tcb.localMss || (tcb.has(FIN_RECEIVED) && !tcb.has(DELAYS_ACKS))) {
    tcb.set(ACK_NOW);
  } else {
    delayAck(tcb, now);
  }
}

/**
 * Acknowledges the peer's FIN: at once, unless the application is expected to answer it with its own FIN.
 */
export function acknowledgeFin(tcb: Tcb, now: number): void {
  if (tcb.has(DELAYS_ACKS) && tcb.state === "ESTABLISHED") delayAck(tcb, now);
  else tcb.set(ACK_NOW);
}

function delayAck(tcb: Tcb, now: number): void {
  const { delayedAckMs } = tcb.config;
  const delay = tcb.has(DELAYS_ACKS) ? Math.max(delayedAckMs, ANSWER_MS) : delayedAckMs;
  if (delay === 0) tcb.set(ACK_NOW);
  else if (!isRunning(tcb, TIMER.DELAYED_ACK)) setTimer(tcb, TIMER.DELAYED_ACK, now + delay);
}

/** Starts the timer after which unread text is acknowledged. */
export function watchForStall(tcb: Tcb, now: number): void {
  if (tcb.config.acknowledge === "on-arrival") return;
  if (isRunning(tcb, TIMER.ACK_STALL)) return;
  tcb.lastReadAt = wholeMs(now);
  setTimer(tcb, TIMER.ACK_STALL, now + tcb.config.ackStallMs);
}

/** No read for `ackStallMs`: acknowledges, so that the peer does not give up. */
export function acknowledgeUnread(tcb: Tcb, now: number): void {
  if (tcb.ackFloor === tcb.rcvNxt || ackNumber(tcb) === tcb.rcvNxt) return;
  const due = tcb.lastReadAt + tcb.config.ackStallMs;
  if (due > now) {
    setTimer(tcb, TIMER.ACK_STALL, due);
    return;
  }
  tcb.ackFloor = tcb.rcvNxt;
  tcb.set(ACK_NOW);
}
