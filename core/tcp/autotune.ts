/**
 * Buffers that grow with what the path and the application can use: a connection starts with
 * little and gets more only while that makes it faster.
 *
 * @module
 */
import { seqDiff } from "../wire/seq.ts";
import type { Tcb } from "./tcb.ts";

/** What a connection may hold in each direction before it has shown that it can use more. */
export const INITIAL_BUFFER: number = 256 * 1024;
/** A round trip, while none has been measured. */
const UNKNOWN_RTT_MS = 20;

/**
 * The application has taken bytes. Where it takes more than half a buffer in a round trip the
 * window is what limits the peer, so it doubles, up to `receiveBuffer`.
 */
export function growReceiveBuffer(tcb: Tcb, now: number): void {
  if (tcb.receiveLimit >= tcb.receiveMost) return;
  const { readSeq } = tcb.receive;
  const elapsed = now - tcb.readMarkAt;
  if (elapsed < (tcb.rtt.srtt || UNKNOWN_RTT_MS)) return;
  const taken = seqDiff(readSeq, tcb.readMark);
  tcb.readMark = readSeq;
  tcb.readMarkAt = now;
  if (taken < 0 || taken * 2 < tcb.receiveLimit || elapsed > 4 * tcb.rtt.srtt + UNKNOWN_RTT_MS) {
    return;
  }
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
