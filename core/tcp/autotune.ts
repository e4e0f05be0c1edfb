/**
 * Buffers that grow with what the path and the application can use: a connection starts with
 * little and gets more only while that makes it faster.
 *
 * @module
 */
import { seqDiff } from "../wire/seq.ts";
import type { Tcb } from "./tcb.ts";

/** A round trip, while none has been measured. */
const UNKNOWN_RTT_MS = 20;
/**
 * The window is four times to eight times what is taken in a round trip: the sender may double its
 * flight, a queue may double the round trip, and while a hole is repaired nothing is taken at all.
 */
const HEADROOM = 4;

/**
 * The application has taken bytes. Where that is so much in a round trip that the window may be what
 * limits the peer, it doubles, up to `receiveBuffer`.
 */
export function growReceiveBuffer(tcb: Tcb, now: number): void {
  if (tcb.receiveLimit >= tcb.receiveMost) return;
  const { readSeq } = tcb.receive;
  const elapsed = now - tcb.readMarkAt;
  if (elapsed < (tcb.srtt || UNKNOWN_RTT_MS)) return;
  const taken = seqDiff(readSeq, tcb.readMark);
  tcb.readMark = readSeq;
  tcb.readMarkAt = now;
  if (taken < 0 || taken * HEADROOM < tcb.receiveLimit) return;
  if (elapsed > 4 * tcb.srtt + UNKNOWN_RTT_MS) return;
  tcb.receiveLimit = Math.min(tcb.receiveLimit * 2, tcb.receiveMost);
}

/**
 * `flightSize` bytes were outstanding: the application may be one flight ahead of that, up to
 * `sendBuffer`.
 */
export function growSendBuffer(tcb: Tcb, flightSize: number): void {
  if (tcb.send.limit >= tcb.config.sendBuffer || 2 * flightSize <= tcb.send.limit) return;
  tcb.send.limit = Math.min(2 * flightSize, tcb.config.sendBuffer);
}
