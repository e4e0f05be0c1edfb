/**
 * Loss recovery of the sender: what an acknowledgement says about what was lost (RFC 6675,
 * RFC 6582, RFC 8985), and what a timeout does (RFC 6298 5).
 *
 * @module
 */
import { seqDiff, seqGeq, seqGt, seqLeq, seqLt } from "../../wire/seq.ts";
import type { Segment } from "../../wire/tcp.ts";
import { ACK_CONTEXT, type AckContext } from "../ack_context.ts";
import { reduceOnEcho } from "../ecn.ts";
import { forceSegment } from "../forced_segment.ts";
import { suspectBlackHole } from "../path_mtu.ts";
import type { Tcb } from "../tcb.ts";
import { TCB } from "../tcb_flags.ts";
import { restartRetransmissionTimer } from "../timers/retransmission_timer.ts";
import { setTimer, stopTimer, TIMER, timerAt } from "../timers/timers.ts";
import { detectLosses, markAllLost, markLost } from "./loss_detection.ts";
import { ownLoss, type RecoveryPhase, type TailProbe } from "./loss_state.ts";
import { RateReduction } from "./prr.ts";
import { rememberForUndo } from "./undo.ts";

/** RFC 5681 3.2. */
const DUPLICATE_ACK_THRESHOLD = 3;
/** RFC 9406 4.3, where nothing paces: more segments make no slow start faster at one time. */
const SLOW_START_LIMIT = 8;
/** More doublings than any `maxRtoMs` has room for. */
const MAX_RTO_BACKOFF = 16;
/** RFC 8985 7.2: the timer's granularity, and what a peer may delay its acknowledgement. */
const TAIL_PROBE_SLACK_MS = 2;
const TAIL_PROBE_ACK_DELAY_MS = 200;
const TAIL_PROBE_WITHOUT_RTT_MS = 1000;

/** SACK blocks of a segment (RFC 2018 5). */
export function takeSackBlocks(tcb: Tcb, segment: Segment, context: AckContext): void {
  for (let i = 0; i < segment.sackCount; i++) {
    const start = segment.sackStarts[i]!;
    const end = segment.sackEnds[i]!;
    if (i === 0 && isDuplicateReport(tcb, segment)) {
      context.reportsDuplicate = true;
      if (isOfRecovery(tcb, start)) context.duplicateBytes = seqDiff(end, start);
      continue;
    }
    // A block that is not of what is outstanding is nonsense, or old.
    if (seqLeq(end, start) || seqLt(start, tcb.sndUna) || seqGt(end, tcb.sndNxt)) continue;
    tcb.scoreboard.sack(start, end, context);
  }
}

/** It may have been sent again in the recovery that could be undone. */
function isOfRecovery(tcb: Tcb, start: number): boolean {
  const { undo, point } = tcb.loss;
  return undo !== undefined && seqGeq(start, undo.firstLost) && seqLt(start, point);
}

/** RFC 2883 4: the first block lies below the acknowledgement, or inside the second block. */
function isDuplicateReport(tcb: Tcb, segment: Segment): boolean {
  const start = segment.sackStarts[0]!;
  const end = segment.sackEnds[0]!;
  if (seqLeq(end, start) || seqLt(start, (tcb.sndUna - tcb.maxSndWnd) | 0)) return false;
  if (seqLeq(end, segment.ack)) return true;
  return segment.sackCount > 1 && seqGeq(start, segment.sackStarts[1]!) &&
    seqLeq(end, segment.sackEnds[1]!);
}

/** After the acknowledgement's own work: what is lost, and is recovery to begin or to end? */
export function recoverFromLoss(tcb: Tcb, context: AckContext, now: number): void {
  const { scoreboard } = tcb;
  const before = tcb.loss.phase;
  const delivered = deliveredBytes(tcb, context);
  if (context.acked > 0) leaveRecovery(tcb, context.acked);
  const lostBefore = scoreboard.lostBytes;
  if (tcb.has(TCB.SACK_PERMITTED)) findLossesBySack(tcb, now);
  else findLossesByDuplicates(tcb, context.acked, now);
  const newlyLost = scoreboard.lostBytes - lostBefore;
  if (scoreboard.lostBytes > 0 && tcb.loss.phase === "open") enterRecovery(tcb, context, now);
  else reduceOnEcho(tcb, context.congestionEcho, now);
  const ends = before === "fast" && tcb.loss.phase === "open";
  // RFC 5681 3.2, step 6: what ends recovery sets the window and does not open it as well.
  if (!tcb.congestion.reducesProportionally) growWindow(tcb, context, before, now);
  else if (tcb.loss.phase === "fast") {
    reduceWindow(tcb, before, delivered, newlyLost, context.acked > 0);
  } else if (!ends) {
    if (before === "timeout") withdrawRoom(tcb, newlyLost, delivered);
    if (context.acked > 0 || takesAnyOrder(tcb)) growWindow(tcb, context, before, now);
  }
  if (!isOfFullWindow(tcb, tcb.sndUna)) tcb.windowFullAt = undefined;
}

/**
 * DeliveredData of RFC 9937 6. Without SACK a duplicate says that one segment has arrived, and what
 * is acknowledged later has been counted with it; no more of them count than segments are out.
 */
function deliveredBytes(tcb: Tcb, context: AckContext): number {
  if (tcb.has(TCB.SACK_PERMITTED)) return context.delivered;
  const counted = tcb.loss.duplicateAcks * tcb.sendMss;
  if (!context.isDuplicate) {
    return context.acked === 0 ? 0 : Math.max(context.acked - counted, tcb.sendMss);
  }
  return counted < seqDiff(tcb.sndNxt, tcb.sndUna) ? tcb.sendMss : 0;
}

/** Fast recovery follows what arrives (RFC 9937 6). */
function reduceWindow(
  tcb: Tcb,
  before: RecoveryPhase,
  delivered: number,
  newlyLost: number,
  progresses: boolean,
): void {
  const { congestion, sendMss } = tcb;
  const inFlight = bytesInFlight(tcb);
  if (delivered > 0) {
    const isSafe = progresses && newlyLost === 0;
    congestion.cwnd = tcb.loss.prr!.window(
      delivered,
      inFlight,
      congestion.ssthresh,
      sendMss,
      isSafe,
    );
  } else if (before === "fast") {
    withdrawRoom(tcb, newlyLost, delivered);
  } else {
    // RACK's timer begins it: nothing has arrived that could let more than the first one out.
    congestion.cwnd = inFlight + sendMss;
  }
}

/**
 * What is found to be lost makes no room: only what arrives lets something out. Where RACK's timer finds
 * it two segments stay, the least that ssthresh may be (RFC 5681 3.1): the acknowledgement of one alone
 * may get lost.
 */
function withdrawRoom(tcb: Tcb, newlyLost: number, delivered: number): void {
  const { congestion, sendMss } = tcb;
  const segments = delivered > 0 ? 1 : 2;
  const least = Math.min(congestion.cwnd, segments * sendMss);
  congestion.cwnd = Math.max(congestion.cwnd - newlyLost, least);
}

/** Outside of fast recovery the window is the algorithm's. */
function growWindow(tcb: Tcb, context: AckContext, before: RecoveryPhase, now: number): void {
  if (context.delivered === 0) return;
  tcb.rate?.finish(tcb.minRtt);
  tcb.congestion.onAck({
    bytes: context.delivered,
    now,
    srtt: tcb.srtt,
    rtt: context.rttSample,
    sndUna: tcb.sndUna,
    sndNxt: tcb.sndNxt,
    inFlight: bytesInFlight(tcb),
    limited: isOfFullWindow(tcb, (tcb.sndUna - context.acked) | 0),
    growthLimit: growthLimit(tcb, before),
    rate: tcb.rate,
  });
}

/**
 * RFC 3465 2.3: after a timeout an acknowledgement may cover what had left the network long before;
 * with SACK that was counted when it was reported.
 */
function growthLimit(tcb: Tcb, phase: RecoveryPhase): number {
  return phase === "timeout" && !tcb.has(TCB.SACK_PERMITTED) ? 1 : SLOW_START_LIMIT;
}

/** Was the congestion window full after what begins at `seq` had been sent (RFC 9438 5.8)? */
function isOfFullWindow(tcb: Tcb, seq: number): boolean {
  return tcb.windowFullAt !== undefined && seqGt(tcb.windowFullAt, seq);
}

/**
 * RFC 5681 3.2: the first duplicates, with SACK blocks or without, change no window. Where the path
 * reorders they announce no loss, and what they report would count at no other time.
 */
function takesAnyOrder(tcb: Tcb): boolean {
  return tcb.loss.phase === "open" && tcb.loss.rack?.reorderingSeen === true;
}

/**
 * Bytes in the network. Without SACK each duplicate acknowledgement says that one segment has
 * left it (RFC 5681 3.2); the first two let new segments out (RFC 3042).
 */
export function bytesInFlight(tcb: Tcb): number {
  const { inFlight } = tcb.scoreboard;
  if (tcb.has(TCB.SACK_PERMITTED) || tcb.loss.duplicateAcks === 0) return inFlight;
  return Math.max(0, inFlight - tcb.loss.duplicateAcks * tcb.sendMss);
}

function leaveRecovery(tcb: Tcb, acked: number): void {
  const { phase, point, duplicateAcks } = tcb.loss;
  const ends = phase !== "open" && seqGeq(tcb.sndUna, point);
  const left = phase === "fast" && !ends ? duplicatesLeft(tcb, acked) : 0;
  if (left !== duplicateAcks) ownLoss(tcb).duplicateAcks = left;
  if (!ends) return;
  // RFC 9937 6: recovery ends at ssthresh.
  if (phase === "fast" && tcb.congestion.reducesProportionally) {
    tcb.congestion.cwnd = tcb.congestion.ssthresh;
  }
  ownLoss(tcb).phase = "open";
  tcb.congestion.onRecovered?.();
  tcb.loss.rack?.recoveryEnded();
}

/** The first segment acknowledged is the retransmission, of the others duplicates have told. */
function duplicatesLeft(tcb: Tcb, acked: number): number {
  return Math.max(0, tcb.loss.duplicateAcks + 1 - Math.ceil(acked / tcb.sendMss));
}

/** RFC 8985 6.2, step 5 and its timer. */
function findLossesBySack(tcb: Tcb, now: number): void {
  if (
    tcb.scoreboard.sackedBytes === 0 && !tcb.loss.rack?.reorderingSeen && tcb.loss.phase === "open"
  ) {
    stopTimer(tcb, TIMER.REORDER);
    return;
  }
  const wait = detectLosses(tcb, now);
  if (wait === Infinity) stopTimer(tcb, TIMER.REORDER);
  else setTimer(tcb, TIMER.REORDER, now + wait);
}

/** RFC 5681 3.2 and RFC 6582 3.2, for peers without SACK. */
function findLossesByDuplicates(tcb: Tcb, ackedBytes: number, now: number): void {
  if (tcb.scoreboard.isEmpty) return;
  const partialAck = ackedBytes > 0 && tcb.loss.phase === "fast";
  const third = tcb.loss.duplicateAcks === DUPLICATE_ACK_THRESHOLD && tcb.loss.phase === "open";
  // RFC 6582 3.2: not again for a window that is being recovered already.
  if (!partialAck && !third) return;
  const first = tcb.scoreboard.at(0);
  tcb.scoreboard.split(first, (first.start + tcb.sendMss) | 0);
  markLost(tcb, first, now);
  forceSegment(tcb, "retransmission");
}

function enterRecovery(tcb: Tcb, context: AckContext, now: number): void {
  const flightSize = (tcb.sndNxt - tcb.sndUna) | 0;
  rememberForUndo(tcb, false, now);
  const loss = ownLoss(tcb);
  loss.phase = "fast";
  loss.point = tcb.sndNxt;
  loss.prr ??= new RateReduction();
  loss.prr.begin(
    flightSize + context.acked - arrivedBefore(tcb, context),
  );
  tcb.congestion.onLoss(flightSize, now);
  tcb.set(TCB.CWR_QUEUED, tcb.has(TCB.ECN));
  // RFC 6675 5 step 4.3: the first segment goes whatever the window says.
  forceSegment(tcb, "retransmission");
}

/** What recovery does not count as delivered, as it arrived before (RecoverFS of RFC 9937 6). */
function arrivedBefore(tcb: Tcb, context: AckContext): number {
  if (tcb.has(TCB.SACK_PERMITTED)) {
    return tcb.scoreboard.sackedBytes - (context.delivered - context.acked);
  }
  return Math.max(0, tcb.loss.duplicateAcks - 1) * tcb.sendMss;
}

/** RACK's timer: what was held for reordering is lost now. */
export function reorderTimeout(tcb: Tcb, now: number): void {
  ACK_CONTEXT.begin(tcb, now);
  recoverFromLoss(tcb, ACK_CONTEXT, now);
  ACK_CONTEXT.end();
}

/** RFC 6298 5.4 to 5.6. */
export function retransmissionTimeout(tcb: Tcb, now: number): void {
  const { scoreboard } = tcb;
  const loss = ownLoss(tcb);
  const repeated = loss.phase === "timeout" && seqLt(tcb.sndUna, loss.point);
  if (loss.phase === "open") rememberForUndo(tcb, true, now);
  const stuck = repeated && tcb.progressAt < loss.timedOutAt;
  loss.timeouts = stuck ? loss.timeouts + 1 : 1;
  if (!stuck) loss.timedOutAt = now;
  suspectBlackHole(tcb, now);
  tcb.congestion.onTimeout((tcb.sndNxt - tcb.sndUna) | 0, repeated, now);
  // RFC 2018 8: the peer may have dropped what it reported; a timeout on sacked data says so.
  if (!scoreboard.isEmpty && scoreboard.at(0).sacked) scoreboard.forgetSacks();
  markAllLost(tcb, now);
  loss.phase = "timeout";
  loss.point = tcb.sndNxt;
  loss.duplicateAcks = 0;
  loss.tailProbe = undefined;
  loss.rtoBackoff = Math.min(loss.rtoBackoff + 1, MAX_RTO_BACKOFF);
  forceSegment(tcb, "retransmission");
}

/**
 * RFC 8985 7.2: may a tail loss probe be scheduled, and for when? RFC 8985 7.3 has a timer that sends
 * none, as there was no sample since the last one, and all it does is to put the RTO off.
 */
export function scheduleTailProbe(tcb: Tcb, now: number): void {
  const possible = tcb.has(TCB.SACK_PERMITTED) && tcb.loss.phase === "open" &&
    !tcb.has(TCB.PROBED_SINCE_SAMPLE) &&
    tcb.loss.tailProbe === undefined && tcb.scoreboard.sackedBytes === 0 && !tcb.scoreboard.isEmpty;
  if (!possible) {
    stopTimer(tcb, TIMER.TAIL_PROBE);
    return;
  }
  // At the latest where the retransmission timer runs out, whose place it takes.
  const at = Math.min(now + tailProbeWait(tcb), timerAt(tcb, TIMER.RETRANSMIT));
  setTimer(tcb, TIMER.TAIL_PROBE, at);
}

function tailProbeWait(tcb: Tcb): number {
  if (tcb.srtt === 0) return TAIL_PROBE_WITHOUT_RTT_MS;
  const one = tcb.scoreboard.inFlight <= tcb.sendMss;
  return 2 * tcb.srtt + (one ? TAIL_PROBE_ACK_DELAY_MS : TAIL_PROBE_SLACK_MS);
}

/** RFC 8985 7.3: the retransmission timer begins anew. */
export function tailProbeTimeout(tcb: Tcb, now: number): void {
  if (tcb.scoreboard.isEmpty || tcb.loss.phase !== "open") return;
  restartRetransmissionTimer(tcb, now);
  tcb.set(TCB.PROBED_SINCE_SAMPLE);
  ownLoss(tcb).tailProbe = { end: tcb.sndNxt, isRetransmission: false, tsVal: 0 };
  forceSegment(tcb, "tail-probe");
}

/** RFC 8985 7.4: was the probe a repair of a loss that nothing else shows? */
export function endTailProbe(
  tcb: Tcb,
  segment: Segment,
  context: AckContext,
  now: number,
): void {
  const { tailProbe, phase } = tcb.loss;
  if (tailProbe === undefined || seqLt(segment.ack, tailProbe.end)) return;
  const { isRetransmission } = tailProbe;
  // Two copies may have arrived: an acknowledgement of each, or a report of the second, tells.
  const isOpen = isRetransmission && segment.ack === tailProbe.end && context.acked > 0 &&
    !context.reportsDuplicate && !tcb.has(TCB.TIMESTAMPS);
  if (isOpen) return;
  const wasRepair = isRetransmission && !context.reportsDuplicate && context.acked > 0 &&
    !context.originalArrived && phase === "open";
  ownLoss(tcb).tailProbe = undefined;
  if (wasRepair && !acknowledgesOriginal(tcb, tailProbe, segment)) {
    if (tcb.rate !== undefined && tcb.congestion.onTailLoss) tcb.congestion.onTailLoss(tcb.rate);
    else tcb.congestion.onLoss((tcb.sndNxt - tcb.sndUna) | 0, now);
  }
}

/** By its timestamp the acknowledgement is of what was sent before the probe (RFC 3522 3). */
function acknowledgesOriginal(tcb: Tcb, probe: TailProbe, segment: Segment): boolean {
  return tcb.has(TCB.TIMESTAMPS) && segment.hasTimestamps && seqLt(segment.tsEcr, probe.tsVal);
}
