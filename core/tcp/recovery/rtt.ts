/**
 * Round-trip time and retransmission timeout (RFC 6298).
 *
 * @module
 */
import type { Tcb } from "../tcb.ts";
import { PROBED_SINCE_SAMPLE, SYN_RETRANSMITTED } from "../tcb_flags.ts";
import { ownLoss } from "./loss_state.ts";

/** The RTO of the first data if the SYN was retransmitted (RFC 6298 5.7). */
const RTO_AFTER_LOST_SYN_MS = 3000;
/** An SRTT of 0 means that there is no sample yet. */
const MIN_SRTT_US = 1;

/**
 * Updates SRTT and RTTVAR with a sample in milliseconds (RFC 6298 2.2 and 2.3). They are kept in whole
 * microseconds, since V8 stores a field with a fraction in an object of 16 bytes.
 */
export function sampleRtt(tcb: Tcb, rttMs: number): void {
  const { srttUs, rttvarUs, minRttUs } = tcb;
  const rttUs = Math.max(Math.round(rttMs * 1000), MIN_SRTT_US);
  tcb.clear(PROBED_SINCE_SAMPLE);
  if (minRttUs === 0 || rttUs < minRttUs) tcb.minRttUs = rttUs;
  if (srttUs === 0) {
    tcb.srttUs = rttUs;
    tcb.rttvarUs = Math.round(rttUs / 2);
  } else {
    tcb.rttvarUs = Math.round(rttvarUs + (Math.abs(srttUs - rttUs) - rttvarUs) / 4);
    tcb.srttUs = Math.max(Math.round(srttUs + (rttUs - srttUs) / 8), MIN_SRTT_US);
  }
  resetBackoff(tcb);
}

/** SRTT in milliseconds; 0 before the first sample. */
export function smoothedRtt(tcb: Tcb): number {
  return tcb.srttUs / 1000;
}

/** The smallest sample in milliseconds; `Infinity` before the first one. */
export function minRttMs(tcb: Tcb): number {
  return tcb.minRttUs === 0 ? Infinity : tcb.minRttUs / 1000;
}

/** RFC 6298 5: a sample, or an acknowledgement of new data, ends the backoff. */
export function resetBackoff(tcb: Tcb): void {
  if (tcb.loss.rtoBackoff > 0) ownLoss(tcb).rtoBackoff = 0;
}

/** RFC 6298 5.7: if the SYN was retransmitted, data starts with a longer RTO. */
export function handshakeDone(tcb: Tcb): void {
  if (tcb.loss.rtoBackoff > 0) tcb.set(SYN_RETRANSMITTED);
  resetBackoff(tcb);
}

/** RTO in milliseconds, including the backoff. */
export function currentRto(tcb: Tcb): number {
  const { srttUs, rttvarUs } = tcb;
  const { rtoBackoff } = tcb.loss;
  const { minRtoMs, maxRtoMs, initialRtoMs } = tcb.config;
  const initial = tcb.has(SYN_RETRANSMITTED)
    ? Math.max(initialRtoMs, RTO_AFTER_LOST_SYN_MS)
    : initialRtoMs;
  // The minimum applies to the variance term, because the peer may delay its acknowledgement.
  const base = srttUs === 0 ? initial : srttUs / 1000 + Math.max(rttvarUs / 250, minRtoMs);
  return Math.min(rtoBackoff === 0 ? base : base * 2 ** rtoBackoff, maxRtoMs);
}
