/**
 * Round-trip time and retransmission timeout (RFC 6298).
 *
 * @module
 */
import type { Tcb } from "../tcb.ts";
import { TCB } from "../tcb_flags.ts";
import { ownLoss } from "./loss_state.ts";

/** RFC 6298 5.7. */
const RTO_AFTER_LOST_SYN_MS = 3000;
/** An SRTT of 0 means that there is no sample yet. */
const LEAST_SRTT_MS = 0.001;

/** Updates SRTT and RTTVAR with a sample in milliseconds (RFC 6298 2.2 and 2.3). */
export function sampleRtt(tcb: Tcb, rtt: number): void {
  const { srtt, rttvar } = tcb;
  tcb.clear(TCB.PROBED_SINCE_SAMPLE);
  if (rtt < tcb.minRtt) tcb.minRtt = rtt;
  if (srtt === 0) {
    tcb.srtt = Math.max(rtt, LEAST_SRTT_MS);
    tcb.rttvar = rtt / 2;
  } else {
    tcb.rttvar = rttvar + (Math.abs(srtt - rtt) - rttvar) / 4;
    tcb.srtt = Math.max(srtt + (rtt - srtt) / 8, LEAST_SRTT_MS);
  }
  resetBackoff(tcb);
}

/** RFC 6298 5: a sample, or an acknowledgement of new data, ends the backoff. */
export function resetBackoff(tcb: Tcb): void {
  if (tcb.loss.rtoBackoff > 0) ownLoss(tcb).rtoBackoff = 0;
}

/** RFC 6298 5.7: if the SYN was retransmitted, data starts with a longer RTO. */
export function handshakeDone(tcb: Tcb): void {
  if (tcb.loss.rtoBackoff > 0) tcb.set(TCB.SYN_RETRANSMITTED);
  resetBackoff(tcb);
}

/** RTO in milliseconds, including the backoff. */
export function currentRto(tcb: Tcb): number {
  const { srtt } = tcb;
  const { rtoBackoff } = tcb.loss;
  const { minRtoMs, maxRtoMs, initialRtoMs } = tcb.config;
  const initial = tcb.has(TCB.SYN_RETRANSMITTED)
    ? Math.max(initialRtoMs, RTO_AFTER_LOST_SYN_MS)
    : initialRtoMs;
  // The minimum applies to the variance term, because the peer may delay its acknowledgement.
  const base = srtt === 0 ? initial : srtt + Math.max(4 * tcb.rttvar, minRtoMs);
  return Math.min(rtoBackoff === 0 ? base : base * 2 ** rtoBackoff, maxRtoMs);
}
