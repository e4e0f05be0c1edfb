/**
 * Loss recovery of the sender: what an acknowledgement says about what was lost (RFC 6675,
 * RFC 6582, RFC 8985), and what a timeout does (RFC 6298 5).
 *
 * @module
 */
import { seqGeq, seqGt, seqLeq, seqLt } from "../wire/seq.ts";
import type { Segment } from "../wire/tcp.ts";
import { detectLosses } from "./rack.ts";
import type { SentRange } from "./scoreboard.ts";
import type { Tcb } from "./tcb.ts";
import { TIMER } from "./timers.ts";

/** RFC 5681 3.2. */
const DUPLICATE_ACK_THRESHOLD = 3;
/** RFC 8985 7.2: the timer's granularity, and what a peer may delay its acknowledgement. */
const TAIL_PROBE_SLACK_MS = 2;
const TAIL_PROBE_ACK_DELAY_MS = 200;

/** SEG.ACK acknowledges new data: what was sent up to it has arrived. */
export function takeCumulativeAck(tcb: Tcb, ack: number, now: number): void {
  let sample = -1;
  let sentAgain = false;
  tcb.scoreboard.acknowledge(ack, (range) => {
    if (!range.sacked) noteDelivery(tcb, range, now);
    if (range.transmissions > 1) sentAgain = true;
    else if (!range.sacked) sample = now - range.sentAt;
  });
  // Karn (RFC 6298 3): a segment that was sent twice gives no sample, nor does one behind it, whose
  // acknowledgement has waited for that.
  if (sample >= 0 && !sentAgain) tcb.rtt.sample(sample);
}

/** SACK blocks of a segment (RFC 2018 5); returns the bytes that are new in them. */
export function takeSackBlocks(tcb: Tcb, segment: Segment, now: number): number {
  let bytes = 0;
  for (let i = 0; i < segment.sackCount; i++) {
    const start = segment.sackStarts[i]!;
    const end = segment.sackEnds[i]!;
    // A block that is not of what is outstanding is a duplicate's report (RFC 2883), or nonsense.
    if (seqLeq(end, start) || seqLt(start, tcb.sndUna) || seqGt(end, tcb.sndNxt)) continue;
    tcb.scoreboard.sack(start, end, (range) => {
      bytes += range.length;
      noteDelivery(tcb, range, now);
    });
  }
  return bytes;
}

function noteDelivery(tcb: Tcb, range: SentRange, now: number): void {
  tcb.rack.noteOrder(range);
  tcb.rack.delivered(range, tcb.rtt.minRtt, now);
}

/** After the acknowledgement's own work: what is lost, and is recovery to begin or to end? */
export function recoverFromLoss(
  tcb: Tcb,
  ackedBytes: number,
  deliveredBytes: number,
  now: number,
): void {
  const { scoreboard } = tcb;
  if (ackedBytes > 0) leaveRecovery(tcb);
  if (tcb.sackPermitted) findLossesBySack(tcb, now);
  else findLossesByDuplicates(tcb, ackedBytes);
  if (scoreboard.lostBytes > 0 && tcb.recovery === "none") enterRecovery(tcb, now);
  if (tcb.recovery !== "fast" && deliveredBytes > 0) {
    tcb.congestion.onAck({
      bytes: deliveredBytes,
      now,
      srtt: tcb.rtt.srtt,
      limited: tcb.congestionLimited,
    });
    tcb.congestionLimited = false;
  }
}

function leaveRecovery(tcb: Tcb): void {
  tcb.duplicateAcksReceived = 0;
  if (tcb.recovery === "none" || seqLt(tcb.sndUna, tcb.recoveryPoint)) return;
  tcb.recovery = "none";
}

/** RFC 8985 6.2, step 5 and its timer. */
function findLossesBySack(tcb: Tcb, now: number): void {
  if (tcb.scoreboard.sackedBytes === 0 && !tcb.rack.reorderingSeen && tcb.recovery === "none") {
    tcb.timers.stop(TIMER.REORDER);
    return;
  }
  const wait = detectLosses(tcb, now);
  if (wait === Infinity) tcb.timers.stop(TIMER.REORDER);
  else tcb.timers.set(TIMER.REORDER, now + wait);
}

/** RFC 5681 3.2 and RFC 6582 3.2, for peers without SACK. */
function findLossesByDuplicates(tcb: Tcb, ackedBytes: number): void {
  if (tcb.scoreboard.isEmpty) return;
  const partialAck = ackedBytes > 0 && tcb.recovery === "fast";
  const third = tcb.duplicateAcksReceived === DUPLICATE_ACK_THRESHOLD && tcb.recovery === "none";
  // RFC 6582 3.2: not again for a window that is being recovered already.
  if (!partialAck && !third) return;
  const first = tcb.scoreboard.at(0);
  tcb.scoreboard.split(first, (first.start + tcb.sendMss) | 0);
  tcb.scoreboard.markLost(first);
  tcb.forced = "retransmit";
}

function enterRecovery(tcb: Tcb, now: number): void {
  tcb.recovery = "fast";
  tcb.recoveryPoint = tcb.sndNxt;
  tcb.congestion.onLoss((tcb.sndNxt - tcb.sndUna) | 0, now);
  // RFC 6675 5 step 4.3: the first segment goes whatever the window says.
  tcb.forced = "retransmit";
}

/** RACK's timer: what was held for reordering is lost now. */
export function reorderTimeout(tcb: Tcb, now: number): void {
  recoverFromLoss(tcb, 0, 0, now);
}

/** RFC 6298 5.4 to 5.6. */
export function retransmissionTimeout(tcb: Tcb, now: number): void {
  const { scoreboard } = tcb;
  const repeated = tcb.recovery === "timeout" && seqLt(tcb.sndUna, tcb.recoveryPoint);
  tcb.congestion.onTimeout((tcb.sndNxt - tcb.sndUna) | 0, repeated, now);
  // RFC 2018 8: the peer may have dropped what it reported; a timeout on sacked data says so.
  if (!scoreboard.isEmpty && scoreboard.at(0).sacked) scoreboard.forgetSacks();
  scoreboard.markAllLost();
  tcb.recovery = "timeout";
  tcb.recoveryPoint = tcb.sndNxt;
  tcb.duplicateAcksReceived = 0;
  tcb.tailProbeEnd = undefined;
  tcb.rtt.backoff = Math.min(tcb.rtt.backoff + 1, 16);
  tcb.forced = "retransmit";
}

/** RFC 8985 7.2: may a tail loss probe be scheduled, and for when? */
export function scheduleTailProbe(tcb: Tcb, now: number): void {
  const possible = tcb.sackPermitted && tcb.recovery === "none" && tcb.rtt.srtt > 0 &&
    tcb.tailProbeEnd === undefined && tcb.scoreboard.sackedBytes === 0 && !tcb.scoreboard.isEmpty;
  if (!possible) {
    tcb.timers.stop(TIMER.TAIL_PROBE);
    return;
  }
  const one = tcb.scoreboard.inFlight <= tcb.sendMss;
  const wait = 2 * tcb.rtt.srtt + (one ? TAIL_PROBE_ACK_DELAY_MS : TAIL_PROBE_SLACK_MS);
  tcb.timers.set(TIMER.TAIL_PROBE, now + Math.min(wait, tcb.rtt.rto));
}

/** RFC 8985 7.3. */
export function tailProbeTimeout(tcb: Tcb, now: number): void {
  if (tcb.scoreboard.isEmpty || tcb.recovery !== "none") return;
  tcb.tailProbeEnd = tcb.sndNxt;
  tcb.forced = "tail-probe";
  tcb.timers.set(TIMER.RETRANSMIT, now + tcb.rtt.rto);
}

/** RFC 8985 7.4: the tail has been acknowledged, another may be probed. */
export function endTailProbe(tcb: Tcb): void {
  if (tcb.tailProbeEnd !== undefined && seqGeq(tcb.sndUna, tcb.tailProbeEnd)) {
    tcb.tailProbeEnd = undefined;
  }
}
