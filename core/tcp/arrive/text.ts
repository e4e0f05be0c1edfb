import { seqDiff, seqGt, seqMax, seqMin } from "../../wire/seq.ts";
import { FLAG, type Segment } from "../../wire/tcp.ts";
import { acknowledgeText, ackNumber, watchForStall } from "../receive_window.ts";
import { ownReordering, quickenAcks } from "../reordering.ts";
import { forgetDuplicate, hasDuplicate } from "../sack_blocks.ts";
import { STATES } from "../state.ts";
import { type Tcb, TCB_EVENT } from "../tcb.ts";
import { ACK_NOW, FIN_RECEIVED, READ_CLOSED, RESET_QUEUED, SACK_PERMITTED } from "../tcb_flags.ts";
import type { Verdict } from "./check.ts";

/** Maximum number of duplicate acknowledgements waiting to be sent. */
const MAX_DUPLICATE_ACKS = 8;

/**
 * Seventh, the segment's text (RFC 9293 3.10.7.4). Urgent data, the sixth step, is delivered in
 * line with the rest (RFC 6093 2.1).
 */
export function acceptText(tcb: Tcb, segment: Segment, now: number): Verdict {
  const length = segment.textLength;
  if (length === 0) return undefined;
  if (!STATES[tcb.state].takesText || tcb.has(FIN_RECEIVED)) return "tcp-closed-text";
  // RFC 9293 3.6.1, SHLD-3: the application will not read the text, so a RST is sent. In profile
  // `local`, only if everything sent is acknowledged, and the segment has no FIN.
  if (
    tcb.has(READ_CLOSED) &&
    (tcb.config.close === "graceful" || isPeerStillSending(tcb, segment))
  ) {
    tcb.set(RESET_QUEUED);
    return "tcp-closed-text";
  }
  const hadHole = tcb.receive.hasHole;
  const isDuplicate = hadHole && reportOutOfOrderDuplicate(tcb, segment);
  const grown = tcb.receive.store(segment.seq, segment.packet, segment.textStart, segment.textEnd);
  if (grown < 0) {
    tcb.set(ACK_NOW);
    return "tcp-no-room";
  }
  if (grown === 0) {
    noteOutOfOrder(tcb, segment);
    return undefined;
  }
  tcb.rcvNxt = (tcb.rcvNxt + grown) | 0;
  tcb.bytesIn += grown;
  tcb.unackedText += grown;
  // Above the acknowledgement number and outside of any SACK block, a D-SACK would look like an
  // ordinary block.
  if (isDuplicate && seqGt(tcb.reordering.duplicateEnd, ackNumber(tcb))) forgetDuplicate(tcb);
  // RFC 5681 4.2: a segment that fills a hole is acknowledged at once.
  if (hadHole) tcb.set(ACK_NOW);
  if (tcb.has(READ_CLOSED)) discardText(tcb, now);
  else deliver(tcb, now);
  return undefined;
}

function isPeerStillSending(tcb: Tcb, segment: Segment): boolean {
  return tcb.state === "FIN-WAIT-2" && !segment.has(FLAG.FIN);
}

/**
 * RFC 2883 4.2: reports the first part that duplicates out-of-order text; the SACK block that
 * contains it follows. Returns whether there is such a part.
 */
function reportOutOfOrderDuplicate(tcb: Tcb, segment: Segment): boolean {
  if (!tcb.has(SACK_PERMITTED)) return false;
  const outOfOrder = tcb.receive.outOfOrder!;
  const end = (segment.seq + segment.textLength) | 0;
  const index = outOfOrder.indexOfOverlap(segment.seq, end);
  if (index < 0) return false;
  // `trimFront` has already reported an earlier duplicate.
  if (hasDuplicate(tcb) && tcb.reordering.duplicateEnd === segment.seq) return false;
  const reordering = ownReordering(tcb);
  reordering.duplicateStart = seqMax(segment.seq, outOfOrder.starts[index]!);
  reordering.duplicateEnd = seqMin(end, outOfOrder.ends[index]!);
  return true;
}

/** Out-of-order text is acknowledged at once by a duplicate ACK (RFC 5681 4.2). */
function noteOutOfOrder(tcb: Tcb, segment: Segment): void {
  const reordering = ownReordering(tcb);
  reordering.segments += segment.wireSegments;
  quickenAcks(tcb);
  tcb.set(ACK_NOW);
  // Without SACK, the number of duplicate ACKs is all that the peer learns.
  if (tcb.has(SACK_PERMITTED)) return;
  reordering.duplicateAcks = Math.min(reordering.duplicateAcks + 1, MAX_DUPLICATE_ACKS);
}

function deliver(tcb: Tcb, now: number): void {
  if (tcb.config.acknowledge === "on-arrival") acknowledgeText(tcb, tcb.unackedText, now);
  else watchForStall(tcb, now);
  tcb.notify(TCB_EVENT.READABLE);
}

/**
 * The application has closed: the text is acknowledged and discarded, so that the peer can
 * continue.
 */
function discardText(tcb: Tcb, now: number): void {
  tcb.receive.discard();
  tcb.processedSeq = tcb.receive.readSeq;
  acknowledgeText(tcb, seqDiff(ackNumber(tcb), tcb.rcvAcked), now);
}
