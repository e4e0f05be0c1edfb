/**
 * Buffer autotuning: a connection starts with small limits, which grow while they limit throughput.
 *
 * @module
 */
import { seqDiff } from "../wire/seq.ts";
import { minRttMs, smoothedRtt } from "./recovery/rtt.ts";
import type { Tcb } from "./tcb.ts";

/** Round-trip time to assume before the first sample. */
const UNKNOWN_RTT_MS = 20;
/**
 * The window is four to eight times the bytes read in a round trip: the sender may double its
 * flight, queueing may double the round-trip time, and nothing can be read while a loss is
 * repaired.
 */
const HEADROOM = 4;
/** On a short path, larger buffers would only overflow the processor's cache. */
const CACHED_BUFFER = 512 * 1024;
/** Assumed maximum rate of a connection in bytes per millisecond: 8 Gbit/s. */
const MAX_RATE = 1024 * 1024;

/** The configured maximum, or less if the round trip is so short that less is enough. */
function bufferCap(tcb: Tcb, configured: number): number {
  return Math.min(configured, Math.max(CACHED_BUFFER, Math.floor(MAX_RATE * minRttMs(tcb))));
}

/**
 * The application has read. Doubles the window, up to `receiveBuffer`, if the window may be what
 * limits the peer.
 */
export function growReceiveBuffer(tcb: Tcb, now: number): void {
  if (tcb.receiveLimit >= tcb.receiveMost) return;
  const { readSeq } = tcb.receive;
  const elapsed = now - tcb.readMarkAt;
  if (elapsed < (smoothedRtt(tcb) || UNKNOWN_RTT_MS)) return;
  const taken = seqDiff(readSeq, tcb.readMark);
  tcb.readMark = readSeq;
  tcb.readMarkAt = now;
  if (taken < 0 || taken * HEADROOM < tcb.receiveLimit) return;
  if (elapsed > 4 * smoothedRtt(tcb) + UNKNOWN_RTT_MS) return;
  const most = bufferCap(tcb, tcb.receiveMost);
  tcb.receiveLimit = Math.max(tcb.receiveLimit, Math.min(tcb.receiveLimit * 2, most));
}

/**
 * Raises the send buffer to two flights, up to `sendBuffer`, so that the next flight is buffered in
 * time.
 */
export function growSendBuffer(tcb: Tcb, flightSize: number): void {
  if (tcb.send.limit >= tcb.config.sendBuffer || 2 * flightSize <= tcb.send.limit) return;
  const most = bufferCap(tcb, tcb.config.sendBuffer);
  tcb.send.limit = Math.max(tcb.send.limit, Math.min(2 * flightSize, most));
}
