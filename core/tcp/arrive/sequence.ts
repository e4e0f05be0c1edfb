import { seqDiff, seqGeq, seqGt, seqLeq, seqLt } from "../../wire/seq.ts";
import { FLAG, type Segment } from "../../wire/tcp.ts";
import { ackNumber } from "../receive_window.ts";
import { smoothedRtt } from "../recovery/rtt.ts";
import { ownReordering, quickenAcks } from "../reordering.ts";
import type { Tcb } from "../tcb.ts";
import { ACK_NOW, SACK_PERMITTED, TIMESTAMPS } from "../tcb_flags.ts";
import { wholeMs } from "../timers/timers.ts";
import { challengeAck } from "./challenge.ts";
import type { Verdict } from "./check.ts";

/** RFC 7323 5.5: TS.Recent is invalid once it is older than this. */
const TIMESTAMP_AGE_MS = 24 * 86_400_000;
/**
 * How much older than TS.Recent the timestamp of an overtaken segment may be, in ticks of the peer's clock, which are
 * milliseconds on nearly every host.
 */
const OVERTAKEN_TICKS = 100;

/**
 * First, the sequence number (RFC 9293 3.10.7.4), after PAWS (RFC 7323 5.3). After this check, what
 * is left of the segment is new and inside the window.
 */
export function checkSequence(tcb: Tcb, segment: Segment, now: number): Verdict {
  if (segment.has(FLAG.RST)) return undefined; // its own check is stricter (RFC 5961 3)
  if (isOldTimestamp(tcb, segment, now)) {
    // RFC 7323 5.3, R1. A pure ACK may merely be late, so answers to pure ACKs are rate-limited (RFC
    // 5961 7).
    if (segment.length > 0) tcb.set(ACK_NOW);
    else challengeAck(tcb, now);
    return "tcp-paws";
  }
  const start = segment.seq;
  const end = (start + segment.length) | 0;
  if (start !== tcb.rcvNxt && isBeyondWindow(tcb, start)) return refuse(tcb, segment, now);
  if (seqGt(end, tcb.rcvNxt)) {
    trimFront(tcb, segment);
    trimBack(tcb, segment);
    return undefined;
  }
  if (start === tcb.rcvNxt) return undefined;
  return seqLt(start, (tcb.rcvNxt - oldest(tcb)) | 0)
    ? refuse(tcb, segment, now)
    : takeOld(tcb, segment, now);
}

/**
 * RFC 9293 3.4: RCV.NXT + RCV.WND is the first sequence number outside the window. If the window is
 * full and has a hole, it is treated like a zero window, for which RFC 9293 3.10.7.4 makes a
 * special allowance: until the hole is filled, the peer's ACKs and RSTs have this sequence number.
 */
export function isBeyondWindow(tcb: Tcb, seq: number): boolean {
  const beyond = seqDiff(seq, tcb.rcvEdge);
  return beyond > 0 || (beyond === 0 && tcb.receive.endSeq !== tcb.rcvEdge);
}

/** Distance below RCV.NXT within which a segment counts as a retransmission. */
function oldest(tcb: Tcb): number {
  return Math.max(tcb.receiveLimit, 0x10000);
}

function isOldTimestamp(tcb: Tcb, segment: Segment, now: number): boolean {
  return tcb.has(TIMESTAMPS) && segment.hasTimestamps && seqLt(segment.tsVal, tcb.tsRecent) &&
    now - tcb.tsRecentAt < TIMESTAMP_AGE_MS && !isOvertaken(tcb, segment);
}

/**
 * Whether a retransmission may have overtaken the segment on a path that reorders. PAWS is meant
 * for segments from before the sequence numbers wrapped, which takes far longer (RFC 7323 5.3;
 * Linux has a tolerance too).
 */
function isOvertaken(tcb: Tcb, segment: Segment): boolean {
  return tcb.reordering.segments > 0 &&
    seqDiff(tcb.tsRecent, segment.tsVal) <= Math.max(OVERTAKEN_TICKS, 2 * smoothedRtt(tcb));
}

function refuse(tcb: Tcb, segment: Segment, now: number): Verdict {
  // RFC 9293 3.10.7.4: a SYN is left to its own check, which also sends a challenge ACK.
  if (segment.has(FLAG.SYN)) return undefined;
  challengeAck(tcb, now);
  return "tcp-sequence";
}

/**
 * A segment that lies entirely below RCV.NXT: a retransmission, a keep-alive or a window probe. It
 * is answered, and its ACK is processed (RFC 9293 3.10.7.4, first: "special allowance").
 */
function takeOld(tcb: Tcb, segment: Segment, now: number): Verdict {
  if (segment.has(FLAG.SYN)) return undefined;
  if (segment.textLength > 0) {
    reportDuplicate(tcb, segment.seq, segment.seq + segment.textLength);
    quickenAcks(tcb);
  }
  // RFC 5961 7: two ends that answered each other's empty segments would never stop, so these
  // answers are rate-limited; a probe that gets none is repeated. Text and FINs are no longer
  // retransmitted once they are acknowledged.
  if (segment.length > 0) tcb.set(ACK_NOW);
  else challengeAck(tcb, now);
  segment.textStart = segment.textEnd;
  // In TIME-WAIT a retransmitted FIN restarts the timeout (RFC 9293 3.10.7.4, eighth).
  if (tcb.state !== "TIME-WAIT") segment.flags &= ~FLAG.FIN;
  return undefined;
}

/** Removes the part below RCV.NXT. */
function trimFront(tcb: Tcb, segment: Segment): void {
  if (segment.has(FLAG.SYN)) return;
  const old = seqDiff(tcb.rcvNxt, segment.seq);
  if (old <= 0) return;
  reportDuplicate(tcb, segment.seq, tcb.rcvNxt);
  quickenAcks(tcb);
  segment.textStart += Math.min(old, segment.textLength);
  segment.seq = tcb.rcvNxt;
  tcb.set(ACK_NOW);
}

/** RFC 2883 4: the next acknowledgement reports duplicate text. */
function reportDuplicate(tcb: Tcb, start: number, end: number): void {
  // Above the acknowledgement number, a D-SACK would look like an ordinary SACK block, so
  // duplicates of unread text are not reported.
  if (!tcb.has(SACK_PERMITTED) || seqGt(end | 0, ackNumber(tcb))) return;
  const reordering = ownReordering(tcb);
  reordering.duplicateStart = start;
  reordering.duplicateEnd = end | 0;
}

/** Removes the part beyond the offered window. A FIN at its edge needs no room. */
export function trimBack(tcb: Tcb, segment: Segment): void {
  const textStart = segment.has(FLAG.SYN) ? segment.seq + 1 : segment.seq;
  const textEnd = (textStart + segment.textLength) | 0;
  const beyond = seqDiff(textEnd, tcb.rcvEdge);
  if (beyond <= 0) return;
  segment.textEnd -= Math.min(beyond, segment.textLength);
  segment.flags &= ~FLAG.FIN;
  // Every probe of a closed window is answered (RFC 9293 3.8.6.1).
  tcb.set(ACK_NOW);
}

/** RFC 7323 4.3: the value that the next TSecr echoes. */
export function updateTsRecent(tcb: Tcb, segment: Segment, now: number): void {
  if (!tcb.has(TIMESTAMPS) || !segment.hasTimestamps) return;
  if (seqGeq(segment.tsVal, tcb.tsRecent) && seqLeq(segment.seq, tcb.rcvAcked)) {
    tcb.tsRecent = segment.tsVal;
    tcb.tsRecentAt = wholeMs(now);
  }
}
