/**
 * What is acknowledged and what window is offered: the receiving side's two promises.
 *
 * @module
 */
import { seqDiff, seqLt, seqMax } from "../wire/seq.ts";
import { growReceiveBuffer } from "./autotune.ts";
import type { Tcb } from "./tcb.ts";
import { TCB } from "./tcb_flags.ts";
import { isRunning, setTimer, TIMER } from "./timers/timers.ts";

/** Bytes before this have left the receive buffer for good. */
function consumedSeq(tcb: Tcb): number {
  return tcb.config.acknowledge === "on-processed" ? tcb.processedSeq : tcb.receive.readSeq;
}

/** SEG.ACK of the next segment. */
export function ackNumber(tcb: Tcb): number {
  if (tcb.config.acknowledge === "on-arrival") return tcb.rcvNxt;
  const consumed = consumedSeq(tcb);
  // The FIN is acknowledged with the last byte before it.
  const taken = tcb.has(TCB.FIN_RECEIVED) && ((consumed + 1) | 0) === tcb.rcvNxt
    ? tcb.rcvNxt
    : consumed;
  return seqMax(seqMax(tcb.rcvAcked, tcb.ackFloor), taken);
}

/** The right edge that the buffer allows. */
function allowedEdge(tcb: Tcb): number {
  return seqMax((consumedSeq(tcb) + tcb.receiveLimit) | 0, tcb.offeredEdge);
}

/** RFC 9293 3.8.6.2.2: the edge moves by min(buffer / 2, MSS) or not at all. */
function edgeWorthOffering(tcb: Tcb): number {
  const edge = allowedEdge(tcb);
  const least = Math.min(tcb.receiveLimit >> 1, tcb.localMss);
  return seqDiff(edge, tcb.offeredEdge) >= least ? edge : tcb.offeredEdge;
}

/** The window field of a segment that acknowledges `ack`; remembers what was offered. */
export function offerWindow(tcb: Tcb, ack: number): number {
  const shift = tcb.rcvWndShift;
  tcb.offeredEdge = edgeWorthOffering(tcb);
  const window = Math.max(0, seqDiff(tcb.offeredEdge, ack));
  // RFC 7323 2.3: rounded down, unless that takes back what has been offered (RFC 7323 2.4,
  // RFC 9293 3.8.6, SHLD-14). What rounding up adds is no part of the edge: it would add up with
  // every acknowledgement.
  const down = window >>> shift;
  const takesBack = seqLt((ack + (down << shift)) | 0, tcb.rcvEdge);
  const field = Math.min(takesBack ? (window + (1 << shift) - 1) >>> shift : down, 0xffff);
  tcb.rcvEdge = seqMax(tcb.rcvEdge, (ack + (field << shift)) | 0);
  return field;
}

/** The window of a SYN or SYN,ACK, which is never scaled (RFC 7323 2.2). */
export function offerInitialWindow(tcb: Tcb): number {
  const field = Math.min(tcb.receiveLimit, 0xffff);
  tcb.offeredEdge = seqMax(tcb.offeredEdge, (tcb.rcvNxt + field) | 0);
  tcb.rcvEdge = seqMax(tcb.rcvEdge, tcb.offeredEdge);
  return field;
}

/** The shift that lets the window field say all of the buffer (RFC 7323 2.3). */
export function windowShift(limit: number): number {
  let shift = 0;
  while (shift < 14 && limit >>> shift > 0xffff) shift++;
  return shift;
}

/** The application has taken bytes, or dealt with them. */
export function bytesConsumed(tcb: Tcb, now: number): void {
  tcb.lastReadAt = now;
  if (tcb.has(TCB.RELEASED)) return;
  growReceiveBuffer(tcb, now);
  if (tcb.config.acknowledge === "on-arrival") {
    if (isUpdateDue(tcb)) tcb.set(TCB.ACK_NOW);
    return;
  }
  const owed = seqDiff(ackNumber(tcb), tcb.rcvAcked);
  if (owed > 0) acknowledgeText(tcb, owed, now);
  else if (isUpdateDue(tcb)) tcb.set(TCB.ACK_NOW);
}

/** RFC 9293 3.8.6.2.2: no update after the peer's FIN, it has nothing more to send. */
function isUpdateDue(tcb: Tcb): boolean {
  return !tcb.has(TCB.FIN_RECEIVED) && edgeWorthOffering(tcb) !== tcb.offeredEdge;
}

/**
 * An acknowledgement of `owed` bytes is owed: now when it is two full segments (RFC 9293 3.8.6.3,
 * SHLD-19), else after the delay.
 */
export function acknowledgeText(tcb: Tcb, owed: number, now: number): void {
  if (tcb.config.delayedAckMs === 0 || owed >= 2 * tcb.localMss || tcb.has(TCB.FIN_RECEIVED)) {
    tcb.set(TCB.ACK_NOW);
  } else if (!isRunning(tcb, TIMER.DELAYED_ACK)) {
    setTimer(tcb, TIMER.DELAYED_ACK, now + tcb.config.delayedAckMs);
  }
}

/** Text has arrived that is acknowledged when it is read: it may not wait forever. */
export function watchForStall(tcb: Tcb, now: number): void {
  if (tcb.config.acknowledge === "on-arrival") return;
  if (isRunning(tcb, TIMER.ACK_STALL)) return;
  tcb.lastReadAt = now;
  setTimer(tcb, TIMER.ACK_STALL, now + tcb.config.ackStallMs);
}

/** Nobody has read for `ackStallMs`: the peer must not take that for a dead connection. */
export function acknowledgeUnread(tcb: Tcb, now: number): void {
  if (tcb.ackFloor === tcb.rcvNxt || ackNumber(tcb) === tcb.rcvNxt) return;
  const due = tcb.lastReadAt + tcb.config.ackStallMs;
  if (due > now) {
    setTimer(tcb, TIMER.ACK_STALL, due);
    return;
  }
  tcb.ackFloor = tcb.rcvNxt;
  tcb.set(TCB.ACK_NOW);
}
