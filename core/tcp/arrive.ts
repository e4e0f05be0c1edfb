/**
 * SEGMENT ARRIVES for a connection (RFC 9293 3.10.7): the order of the checks is the RFC's, each
 * is a file of its own.
 *
 * @module
 */
import type { DropReason } from "../wire/drop_reason.ts";
import type { Segment } from "../wire/tcp.ts";
import { checkAck } from "./arrive/ack.ts";
import type { Check, Verdict } from "./arrive/check.ts";
import { takeFin } from "./arrive/fin.ts";
import { checkReset } from "./arrive/reset.ts";
import { checkSequence } from "./arrive/sequence.ts";
import { checkSyn } from "./arrive/syn.ts";
import { segmentArrivesInSynSent } from "./arrive/syn_sent.ts";
import { acceptText } from "./arrive/text.ts";
import type { Tcb } from "./tcb.ts";

const CHECKS: readonly Check[] = [
  checkSequence, // first
  checkReset, // second; third, security, is obsolete
  checkSyn, // fourth
  checkAck, // fifth
  acceptText, // sixth, URG, and seventh
  takeFin, // eighth
];

/** Takes a segment in; returns why it was dropped, if it was. */
export function segmentArrives(tcb: Tcb, segment: Segment, now: number): DropReason | undefined {
  tcb.segmentsIn += segment.wireSegments;
  if (tcb.state === "SYN-SENT") return reason(segmentArrivesInSynSent(tcb, segment, now));
  for (const check of CHECKS) {
    const verdict = check(tcb, segment, now);
    if (verdict !== undefined) return reason(verdict);
  }
  return undefined;
}

function reason(verdict: Verdict): DropReason | undefined {
  return verdict === "taken" ? undefined : verdict;
}
