/**
 * SEGMENT ARRIVES for a connection (RFC 9293 3.10.7): one file for each check, in the RFC's order.
 *
 * @module
 */
import type { DropReason } from "../wire/drop_reason.ts";
import type { Segment } from "../wire/tcp.ts";
import { checkAck } from "./arrive/ack.ts";
import type { Verdict } from "./arrive/check.ts";
import { takeFin } from "./arrive/fin.ts";
import { checkReset } from "./arrive/reset.ts";
import { checkSequence } from "./arrive/sequence.ts";
import { checkSyn } from "./arrive/syn.ts";
import { segmentArrivesInSynSent } from "./arrive/syn_sent.ts";
import { acceptText } from "./arrive/text.ts";
import type { Tcb } from "./tcb.ts";

/** Processes a segment; returns the reason if it is dropped. */
export function segmentArrives(tcb: Tcb, segment: Segment, now: number): DropReason | undefined {
  tcb.segmentsIn += segment.wireSegments;
  tcb.environment.counts.segmentsIn += segment.wireSegments;
  if (tcb.state === "SYN-SENT") return reason(segmentArrivesInSynSent(tcb, segment, now));
  const verdict = checkSequence(tcb, segment, now) ?? // first
    checkReset(tcb, segment, now) ?? // second; third, security, is obsolete
    checkSyn(tcb, segment, now) ?? // fourth
    checkAck(tcb, segment, now) ?? // fifth
    acceptText(tcb, segment, now) ?? // sixth, URG, and seventh
    takeFin(tcb, segment, now); // eighth
  return verdict === undefined ? undefined : reason(verdict);
}

function reason(verdict: Verdict): DropReason | undefined {
  return verdict === "taken" ? undefined : verdict;
}
