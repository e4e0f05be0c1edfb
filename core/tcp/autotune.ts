/**
 * Buffer autotuning: a connection starts with small limits, which grow while they limit throughput.
 *
 * @module
 */
import { seqDiff } from "../wire/seq.ts";
import type { Tcb } from "./tcb.ts";

/** Round-trip time to assume before the first sample. */
const UNKNOWN_RTT_MS = 20;
/**
 * The window is four to eight times the bytes read in a round trip: the sender may double its
 * flight, queueing may double the round-trip time, and nothing can be read while a loss is
 * repaired.
 */
const HEADROOM = 4;

/**
 * The application has read. Doubles the window, up to `receiveBuffer`, if the window may be what
 * limits the peer.
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
 * Raises the send buffer to two flights, up to `sendBuffer`, so that the next flight is buffered in
 * time.
 */
export function growSendBuffer(tcb: Tcb, flightSize: number): void {
  if (tcb.send.limit >= tcb.config.sendBuffer || 2 * flightSize <= tcb.send.limit) return;
  tcb.send.limit = Math.min(2 * flightSize, tcb.config.sendBuffer);
}
