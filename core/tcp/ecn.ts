/**
 * Explicit congestion notification (RFC 3168 6.1).
 *
 * @module
 */
import { seqLt } from "../wire/seq.ts";
import { FLAG, type Segment } from "../wire/tcp.ts";
import { ownLoss } from "./recovery/loss_state.ts";
import type { Tcb } from "./tcb.ts";
import { ACK_NOW, CWR_QUEUED, ECHO_CONGESTION, ECN } from "./tcb_flags.ts";

/** Codepoints of the IP header (RFC 3168 5). */
export const ECT_0 = 2;
const CONGESTION_EXPERIENCED = 3;

/** RFC 3168 6.1.1: an ECN-setup SYN has both bits. */
export function isEcnSetupSyn(segment: Segment): boolean {
  return segment.has(FLAG.ECE) && segment.has(FLAG.CWR);
}

/** RFC 3168 6.1.1: an ECN-setup SYN,ACK has only ECE. */
export function isEcnSetupSynAck(segment: Segment): boolean {
  return segment.has(FLAG.ECE) && !segment.has(FLAG.CWR);
}

/** RFC 3168 6.1.3: CE is echoed until the peer's CWR. */
export function noteCongestionExperienced(tcb: Tcb, segment: Segment): void {
  if (!tcb.has(ECN)) return;
  if (segment.has(FLAG.CWR)) tcb.clear(ECHO_CONGESTION);
  if (segment.ecn !== CONGESTION_EXPERIENCED) return;
  tcb.set(ECHO_CONGESTION);
  tcb.set(ACK_NOW);
}

/** RFC 3168 6.1.2: reduces the window once per round trip, and sends CWR. */
export function reduceOnEcho(tcb: Tcb, echoed: boolean, now: number): void {
  const { ecnPoint, phase } = tcb.loss;
  const isReduced = ecnPoint !== undefined && seqLt(tcb.sndUna, ecnPoint);
  if (ecnPoint !== undefined && !isReduced) ownLoss(tcb).ecnPoint = undefined;
  if (!echoed || !tcb.has(ECN) || phase !== "open" || isReduced) return;
  const { congestion, rate } = tcb;
  if (rate !== undefined && congestion.onCongestionEcho) congestion.onCongestionEcho(rate, now);
  else congestion.onLoss((tcb.sndNxt - tcb.sndUna) | 0, now);
  ownLoss(tcb).ecnPoint = tcb.sndNxt;
  tcb.set(CWR_QUEUED);
}
