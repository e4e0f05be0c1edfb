/**
 * Loss recovery of the sender: on acknowledgements (RFC 6675, RFC 6582, RFC 8985), and on timeouts
 * (RFC 6298 5).
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
import { CWR_QUEUED, ECN, PROBED_SINCE_SAMPLE, SACK_PERMITTED, TIMESTAMPS } from "../tcb_flags.ts";
import { restartRetransmissionTimer } from "../timers/retransmission_timer.ts";
import { setTimer, stopTimer, TIMER, timerAt, wholeMs } from "../timers/timers.ts";
import { detectLosses, markAllLost, markLost } from "./loss_detection.ts";
import { ownLoss, type RecoveryPhase, type TailProbe } from "./loss_state.ts";
import { RateReduction } from "./prr.ts";
import { minRttMs, smoothedRtt } from "./rtt.ts";
import { rememberForUndo } from "./undo.ts";

/** Number of duplicate ACKs that indicate a loss (RFC 5681 3.2). */
const DUPLICATE_ACK_THRESHOLD = 3;
/** RFC 9406 4.3, without pacing: growth per acknowledgement in slow start, in segments. */
const SLOW_START_LIMIT = 8;
/** More doublings than any `maxRtoMs` allows. */
const MAX_RTO_BACKOFF = 16;
/** RFC 8985 7.2: timer granularity, and the maximum delay of the peer's acknowledgement. */
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
    // A block outside of the outstanding data is invalid or old.
    if (seqLeq(end, start) || seqLt(start, tcb.sndUna) || seqGt(end, tcb.sndNxt)) continue;
    tcb.scoreboard.sack(start, end, context);
  }
}

/** Whether `start` may have been retransmitted by the recovery that could be undone. */
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

/** Detects losses after an acknowledgement, and begins or ends recovery. */
export function recoverFromLoss(tcb: Tcb, context: AckContext, now: number): void {
  const { scoreboard } = tcb;
  const before = tcb.loss.phase;
  const delivered = deliveredBytes(tcb, context);
  if (context.acked > 0) leaveRecovery(tcb, context.acked);
  const lostBefore = scoreboard.lostBytes;
  if (tcb.has(SACK_PERMITTED)) findLossesBySack(tcb, now);
  else findLossesByDuplicates(tcb, context.acked, now);
  const newlyLost = scoreboard.lostBytes - lostBefore;
  if (scoreboard.lostBytes > 0 && tcb.loss.phase === "open") enterRecovery(tcb, context, now);
  else reduceOnEcho(tcb, context.congestionEcho, now);
  const ends = before === "fast" && tcb.loss.phase === "open";
  // RFC 5681 3.2, step 6: the end of recovery sets the window, without growth.
  if (!tcb.congestion.reducesProportionally) growWindow(tcb, context, before, now);
  else if (tcb.loss.phase === "fast") {
    reduceWindow(tcb, before, delivered, newlyLost, context.acked > 0);
  } else if (!ends) {
    if (before === "timeout") withdrawRoom(tcb, newlyLost, delivered);
    if (context.acked > 0 || duplicatesGrowWindow(tcb)) growWindow(tcb, context, before, now);
  }
  if (!isOfFullWindow(tcb, tcb.sndUna)) tcb.windowFullAt = undefined;
}

/**
 * DeliveredData of RFC 9937 6. Without SACK, each duplicate ACK counts as one segment, up to the
 * number in flight; those segments are not counted again when they are acknowledged.
 */
function deliveredBytes(tcb: Tcb, context: AckContext): number {
  if (tcb.has(SACK_PERMITTED)) return context.delivered;
  const counted = tcb.loss.duplicateAcks * tcb.sendMss;
  if (!context.isDuplicate) {
    return context.acked === 0 ? 0 : Math.max(context.acked - counted, tcb.sendMss);
  }
  return counted < seqDiff(tcb.sndNxt, tcb.sndUna) ? tcb.sendMss : 0;
}

/** In fast recovery, the window follows delivery (RFC 9937 6). */
function reduceWindow(
  tcb: Tcb,
  before: RecoveryPhase,
  delivered: number,
  newlyLost: number,
  hasProgressed: boolean,
): void {
  const { congestion, sendMss } = tcb;
  const inFlight = bytesInFlight(tcb);
  if (delivered > 0) {
    const isSafe = hasProgressed && newlyLost === 0;
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
    // RACK's timer starts recovery: nothing has arrived that would allow more than one segment.
    congestion.cwnd = inFlight + sendMss;
  }
}

/**
 * Lost data makes no room in the window; only delivered data does. If RACK's timer detected the
 * loss, two segments remain, the minimum of ssthresh (RFC 5681 3.1), since the acknowledgement of a
 * single one may be lost.
 */
function withdrawRoom(tcb: Tcb, newlyLost: number, delivered: number): void {
  const { congestion, sendMss } = tcb;
  const segments = delivered > 0 ? 1 : 2;
  const least = Math.min(congestion.cwnd, segments * sendMss);
  congestion.cwnd = Math.max(congestion.cwnd - newlyLost, least);
}

/** Outside of fast recovery, the algorithm controls the window. */
function growWindow(tcb: Tcb, context: AckContext, before: RecoveryPhase, now: number): void {
  if (context.delivered === 0) return;
  tcb.rate?.finish(minRttMs(tcb));
  tcb.congestion.onAck({
    bytes: context.delivered,
    now,
    srtt: smoothedRtt(tcb),
    rtt: context.rttSample,
    sndUna: tcb.sndUna,
    sndNxt: tcb.sndNxt,
    inFlight: bytesInFlight(tcb),
    limited: isOfFullWindow(tcb, (tcb.sndUna - context.acked) | 0),
    hasSack: tcb.has(SACK_PERMITTED),
    growthLimit: growthLimit(tcb, before),
    rate: tcb.rate,
  });
}

/**
 * RFC 3465 2.3: after a timeout, an acknowledgement may cover data that left the network long ago;
 * with SACK, that data was counted when it was reported.
 */
function growthLimit(tcb: Tcb, phase: RecoveryPhase): number {
  return phase === "timeout" && !tcb.has(SACK_PERMITTED) ? 1 : SLOW_START_LIMIT;
}

/** Whether the congestion window was full after `seq` was sent (RFC 9438 5.8). */
function isOfFullWindow(tcb: Tcb, seq: number): boolean {
  return tcb.windowFullAt !== undefined && seqGt(tcb.windowFullAt, seq);
}

/**
 * Whether duplicate ACKs grow the window. RFC 5681 3.2: the first ones do not change it. But on a path that reorders,
 * they do not mean a loss, and the data that they report would otherwise never be counted.
 */
function duplicatesGrowWindow(tcb: Tcb): boolean {
  return tcb.loss.phase === "open" && tcb.loss.rack?.reorderingSeen === true;
}

/**
 * Bytes in the network. Without SACK, each duplicate ACK means that one segment has left it (RFC 5681
 * 3.2); the first two allow new segments (RFC 3042).
 */
export function bytesInFlight(tcb: Tcb): number {
  const { inFlight } = tcb.scoreboard;
  if (tcb.has(SACK_PERMITTED) || tcb.loss.duplicateAcks === 0) return inFlight;
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

/** One of the acknowledged segments is the retransmission; each of the others caused a duplicate ACK. */
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

/** For peers without SACK (RFC 5681 3.2, RFC 6582 3.2). */
function findLossesByDuplicates(tcb: Tcb, ackedBytes: number, now: number): void {
  if (tcb.scoreboard.isEmpty) return;
  const partialAck = ackedBytes > 0 && tcb.loss.phase === "fast";
  const third = tcb.loss.duplicateAcks === DUPLICATE_ACK_THRESHOLD && tcb.loss.phase === "open";
  // RFC 6582 3.2: not again during recovery.
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
  tcb.set(CWR_QUEUED, tcb.has(ECN));
  // RFC 6675 5 step 4.3: the first segment is sent regardless of the window.
  forceSegment(tcb, "retransmission");
}

/** Bytes that arrived before recovery, for RecoverFS (RFC 9937 6). */
function arrivedBefore(tcb: Tcb, context: AckContext): number {
  if (tcb.has(SACK_PERMITTED)) {
    return tcb.scoreboard.sackedBytes - (context.delivered - context.acked);
  }
  return Math.max(0, tcb.loss.duplicateAcks - 1) * tcb.sendMss;
}

/**
 * RACK's reordering timer: segments that may have been reordered are now considered lost (RFC 8985
 * 6.2).
 */
export function reorderTimeout(tcb: Tcb, now: number): void {
  ACK_CONTEXT.begin(tcb, now);
  recoverFromLoss(tcb, ACK_CONTEXT, now);
  ACK_CONTEXT.end();
}

/** The retransmission timer has expired (RFC 6298 5.4 to 5.6). */
export function retransmissionTimeout(tcb: Tcb, now: number): void {
  const { scoreboard } = tcb;
  const loss = ownLoss(tcb);
  const repeated = loss.phase === "timeout" && seqLt(tcb.sndUna, loss.point);
  if (loss.phase === "open") rememberForUndo(tcb, true, now);
  const isStalled = repeated && tcb.progressAt < loss.timedOutAt;
  loss.timeouts = isStalled ? loss.timeouts + 1 : 1;
  if (!isStalled) loss.timedOutAt = wholeMs(now);
  suspectBlackHole(tcb, now);
  tcb.congestion.onTimeout((tcb.sndNxt - tcb.sndUna) | 0, repeated, now);
  // RFC 2018 8: the peer may have discarded sacked data, as a timeout of sacked data indicates.
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
 * Schedules a tail loss probe (RFC 8985 7.2), or a probe in recovery. Without an RTT sample since the
 * last probe none is scheduled: in RFC 8985 7.3, the timer would then only postpone the RTO.
 */
export function scheduleProbe(tcb: Tcb, now: number): void {
  const at = probeAt(tcb, now);
  if (at === undefined) stopTimer(tcb, TIMER.TAIL_PROBE);
  else setTimer(tcb, TIMER.TAIL_PROBE, at);
}

function probeAt(tcb: Tcb, now: number): number | undefined {
  if (!tcb.has(SACK_PERMITTED) || tcb.has(PROBED_SINCE_SAMPLE)) return undefined;
  return tcb.loss.phase === "open" ? tailProbeAt(tcb, now) : recoveryProbeAt(tcb, now);
}

function tailProbeAt(tcb: Tcb, now: number): number | undefined {
  const { scoreboard } = tcb;
  if (tcb.loss.tailProbe !== undefined || scoreboard.sackedBytes > 0 || scoreboard.isEmpty) {
    return undefined;
  }
  const mayDelay = scoreboard.inFlight <= tcb.sendMss;
  // No later than the retransmission timer, which the probe replaces.
  return Math.min(now + probeWait(tcb, mayDelay), timerAt(tcb, TIMER.RETRANSMIT));
}

/**
 * If a whole flight is lost in recovery, no acknowledgement reveals the loss. RFC 8985 7.2 relies
 * on other mechanisms in recovery, none of which helps here, so a probe is sent as in RFC 9002 6.2.
 * It does not postpone the RTO, and is not sent if the RTO would expire before the answer.
 */
function recoveryProbeAt(tcb: Tcb, now: number): number | undefined {
  const { scoreboard, loss } = tcb;
  if (loss.rtoBackoff > 0 || scoreboard.inFlight === 0 || tcb.srttUs === 0) return undefined;
  // RFC 5681 4.2: a segment below a hole is acknowledged at once.
  const mayDelay = scoreboard.inFlight <= tcb.sendMss && scoreboard.sackedBytes === 0;
  const at = now + probeWait(tcb, mayDelay);
  return at + smoothedRtt(tcb) < timerAt(tcb, TIMER.RETRANSMIT) ? at : undefined;
}

/** The probe timeout in milliseconds (RFC 8985 7.2); `mayDelay`: the peer may delay its acknowledgement. */
function probeWait(tcb: Tcb, mayDelay: boolean): number {
  if (tcb.srttUs === 0) return TAIL_PROBE_WITHOUT_RTT_MS;
  return 2 * smoothedRtt(tcb) + (mayDelay ? TAIL_PROBE_ACK_DELAY_MS : TAIL_PROBE_SLACK_MS);
}

/** Sends a tail loss probe (RFC 8985 7.3), or a probe in recovery. */
export function probeTimeout(tcb: Tcb, now: number): void {
  if (tcb.scoreboard.isEmpty) return;
  if (tcb.loss.phase !== "open") return probeRecovery(tcb, now);
  restartRetransmissionTimer(tcb, now);
  tcb.set(PROBED_SINCE_SAMPLE);
  ownLoss(tcb).tailProbe = { end: tcb.sndNxt, isRetransmission: false, tsVal: 0 };
  forceSegment(tcb, "tail-probe");
}

/** Retransmits the first hole, the only segment that advances SND.UNA. */
function probeRecovery(tcb: Tcb, now: number): void {
  tcb.set(PROBED_SINCE_SAMPLE);
  markLost(tcb, tcb.scoreboard.at(0), now);
  forceSegment(tcb, "retransmission");
}

/** RFC 8985 7.4: detects a loss that only the probe has repaired. */
export function endTailProbe(
  tcb: Tcb,
  segment: Segment,
  context: AckContext,
  now: number,
): void {
  const { tailProbe, phase } = tcb.loss;
  if (tailProbe === undefined || seqLt(segment.ack, tailProbe.end)) return;
  const { isRetransmission } = tailProbe;
  // Both copies may have arrived, which a second ACK or a D-SACK will show.
  const isOpen = isRetransmission && segment.ack === tailProbe.end && context.acked > 0 &&
    !context.reportsDuplicate && !tcb.has(TIMESTAMPS);
  if (isOpen) return;
  const wasRepair = isRetransmission && !context.reportsDuplicate && context.acked > 0 &&
    !context.originalArrived && phase === "open";
  ownLoss(tcb).tailProbe = undefined;
  if (wasRepair && !acknowledgesOriginal(tcb, tailProbe, segment)) {
    if (tcb.rate !== undefined && tcb.congestion.onTailLoss) tcb.congestion.onTailLoss(tcb.rate);
    else tcb.congestion.onLoss((tcb.sndNxt - tcb.sndUna) | 0, now);
  }
}

/** By its timestamp, the ACK is for the original segment (RFC 3522 3). */
function acknowledgesOriginal(tcb: Tcb, probe: TailProbe, segment: Segment): boolean {
  return tcb.has(TIMESTAMPS) && segment.hasTimestamps && seqLt(segment.tsEcr, probe.tsVal);
}
