/**
 * The fields of a connection's record in the format of moved connections. A change here is a new
 * version of the format: see `format.ts`.
 *
 * @module
 */
import { MAX_HOLES } from "../../buffers/receive_ring.ts";
import { seqDiff } from "../../wire/seq.ts";
import type { CongestionName } from "../config.ts";
import { createCongestionControl } from "../congestion/algorithms.ts";
import { RateSampler } from "../congestion/rate_sampler.ts";
import { type ForcedSegment, forceSegment } from "../forced_segment.ts";
import { NO_PROBES, ownProbes, type Probes } from "../probes.ts";
import {
  LossRecovery,
  NO_LOSS,
  type RecoveryPhase,
  type TailProbe,
  type UndoPoint,
} from "../recovery/loss_state.ts";
import { RateReduction } from "../recovery/prr.ts";
import { Rack } from "../recovery/rack.ts";
import { EMPTY_SCOREBOARD } from "../recovery/scoreboard_pool.ts";
import { MAX_ORDER_SPAN, SendOrders } from "../recovery/send_orders.ts";
import { IN_ORDER, ownReordering, type Reordering } from "../reordering.ts";
import type { EndReason, TcpState } from "../state.ts";
import type { Tcb } from "../tcb.ts";
import {
  IN_EVENT_QUEUE,
  IN_OUTPUT_QUEUE,
  IN_TABLES,
  RELEASED,
  RESET_QUEUED,
  SEND_ECT,
  SYN_ACKED,
  SYN_QUEUED,
  SYN_UNDECIDED,
} from "../tcb_flags.ts";
import { setTimer, TIMER, type Timer, timerAt } from "../timers/timers.ts";
import { DEFAULT_OPTIONS, ownOptions, type UserOptions } from "../user_options.ts";
import { type FieldCodec, optionalInt, optionalReal, optionalTime } from "./field_codec.ts";

/** The states in which a connection can move: it is synchronized, and has not ended. */
export const MOVABLE_STATES: readonly TcpState[] = [
  "ESTABLISHED",
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "CLOSE-WAIT",
  "CLOSING",
  "LAST-ACK",
  "TIME-WAIT",
];

/** Flags that do not move: those of the stack's tables, and those never set in a connection that can move. */
const UNMOVED_FLAGS = RELEASED | SYN_UNDECIDED | SYN_QUEUED | RESET_QUEUED | SEND_ECT |
  IN_TABLES | IN_OUTPUT_QUEUE | IN_EVENT_QUEUE;

// The format stores indexes into these arrays, so new names go at the end.
const ALGORITHMS: readonly CongestionName[] = ["unacked", "newreno", "cubic", "bbr"];
const PHASES: readonly RecoveryPhase[] = ["open", "fast", "timeout"];
const FORCED: readonly ForcedSegment[] = [
  "none",
  "retransmission",
  "tail-probe",
  "window-probe",
  "keep-alive",
];
const SOFT_ERRORS: readonly (EndReason | "none")[] = ["none", "UNREACHABLE", "TIMED_OUT"];

/** Largest shift of the window scale option (RFC 7323 2.2). */
const MAX_SHIFT = 14;
/** Largest window (RFC 7323 2.3). */
const MAX_WINDOW = 2 ** 30;
const MAX_U16 = 0xffff;

/** Makes the {@link SendOrders} of a connection. Its lowest position is `span` below the newest one. */
export type MakeSendOrders = (span: number) => SendOrders;

/** Visits the whole record. When reading, `tcb` is new. */
export function visitTcb(tcb: Tcb, codec: FieldCodec, makeOrders: MakeSendOrders): void {
  tcb.state = codec.choice("state", tcb.state, MOVABLE_STATES);
  const flags = codec.int("flags", tcb.flags & ~UNMOVED_FLAGS) & ~UNMOVED_FLAGS;
  tcb.flags = tcb.flags & UNMOVED_FLAGS | flags | SYN_ACKED;
  visitSending(tcb, codec);
  visitReceiving(tcb, codec);
  visitMeasurements(tcb, codec);
  const orders = makeOrders(codec.count("sendSpan", sendSpan(tcb), MAX_ORDER_SPAN));
  visitCongestion(tcb, codec);
  tcb.windowFullAt = optionalInt(codec, "windowFullAt", tcb.windowFullAt);
  tcb.pacedUntil = codec.time("pacedUntil", tcb.pacedUntil);
  codec.part("scoreboard", () => visitScoreboard(tcb, codec, orders));
  const forced = codec.choice("forced", tcb.forced, FORCED);
  if (forced !== tcb.forced) forceSegment(tcb, forced);
  visitRareRecords(tcb, codec, orders);
  visitTimes(tcb, codec);
  visitCounters(tcb, codec);
}

/**
 * Visits the state of the congestion control algorithm. If the reading stack uses a different one, its own starts with
 * the window and the threshold in the record.
 */
function visitCongestion(tcb: Tcb, codec: FieldCodec): void {
  const { config, congestion, sendMss } = tcb;
  const name = codec.choice("algorithm", config.congestion, ALGORITHMS);
  const isSame = name === config.congestion;
  const state = isSame
    ? congestion
    : createCongestionControl(sendMss, { ...config, congestion: name });
  codec.part(name, () => state.visitFields(codec));
  if (state.samplesRate) {
    const rate = tcb.rate ?? new RateSampler();
    codec.part("rate", () => rate.visitFields(codec));
  }
  if (isSame || config.congestion === "unacked") return;
  congestion.cwnd = Math.max(state.cwnd, sendMss);
  if (name !== "unacked") congestion.ssthresh = Math.max(state.ssthresh, 2 * sendMss);
}

/** The positions of a connection that is frozen, for {@link visitTcb}. */
export function sendOrdersOf(tcb: Tcb): MakeSendOrders {
  return (span) => new SendOrders(newestOrder(tcb), span);
}

function newestOrder({ scoreboard, loss }: Tcb): number {
  let newest = loss.rack?.order ?? 0;
  for (let i = 0; i < scoreboard.count; i++) newest = Math.max(newest, scoreboard.at(i).order);
  return newest;
}

/**
 * The distance from the newest position to the lowest, which is one below the positions of the ranges and stands for
 * everything sent before them.
 */
function sendSpan(tcb: Tcb): number {
  const { scoreboard } = tcb;
  const newest = newestOrder(tcb);
  let oldest = newest;
  for (let i = 0; i < scoreboard.count; i++) oldest = Math.min(oldest, scoreboard.at(i).order);
  return Math.min(newest - oldest + 1, MAX_ORDER_SPAN);
}

function visitSending(tcb: Tcb, codec: FieldCodec): void {
  tcb.iss = codec.int("iss", tcb.iss);
  tcb.sndUna = codec.int("sndUna", tcb.sndUna);
  tcb.sndNxt = codec.int("sndNxt", tcb.sndNxt);
  tcb.sndWnd = codec.count("sndWnd", tcb.sndWnd, MAX_WINDOW);
  tcb.sndWl1 = codec.int("sndWl1", tcb.sndWl1);
  tcb.sndWl2 = codec.int("sndWl2", tcb.sndWl2);
  tcb.maxSndWnd = codec.count("maxSndWnd", tcb.maxSndWnd, MAX_WINDOW);
  tcb.sndWndShift = codec.count("sndWndShift", tcb.sndWndShift, MAX_SHIFT);
  tcb.peerMss = codec.count("peerMss", tcb.peerMss, MAX_U16);
  tcb.pathMtu = codec.count("pathMtu", tcb.pathMtu, MAX_U16);
  tcb.pushSeq = codec.int("pushSeq", tcb.pushSeq);
  const { send } = tcb;
  codec.part("send", () => {
    send.limit = codec.count("limit", send.limit, MAX_WINDOW);
    const { length } = send;
    const text = codec.bytes(
      "text",
      length,
      send.limit,
      (target) => send.ring.copy(0, target, 0, length),
    );
    if (length === 0) send.push(text, 0);
  });
}

function visitReceiving(tcb: Tcb, codec: FieldCodec): void {
  tcb.irs = codec.int("irs", tcb.irs);
  tcb.rcvNxt = codec.int("rcvNxt", tcb.rcvNxt);
  tcb.rcvUp = codec.int("rcvUp", tcb.rcvUp);
  tcb.rcvAcked = codec.int("rcvAcked", tcb.rcvAcked);
  tcb.offeredEdge = codec.int("offeredEdge", tcb.offeredEdge);
  tcb.rcvEdge = codec.int("rcvEdge", tcb.rcvEdge);
  tcb.rcvWndShift = codec.count("rcvWndShift", tcb.rcvWndShift, MAX_SHIFT);
  tcb.receiveLimit = codec.count("receiveLimit", tcb.receiveLimit, MAX_WINDOW);
  tcb.processedSeq = codec.int("processedSeq", tcb.processedSeq);
  tcb.ackFloor = codec.int("ackFloor", tcb.ackFloor);
  tcb.unackedText = codec.count("unackedText", tcb.unackedText);
  tcb.readMark = codec.int("readMark", tcb.readMark);
  codec.part("receive", () => visitReceived(tcb, codec));
}

/** The unread text, then the out-of-order ranges, the most recently changed last. */
function visitReceived({ receive, receiveLimit, rcvWndShift }: Tcb, codec: FieldCodec): void {
  receive.readSeq = codec.int("readSeq", receive.readSeq);
  const most = receiveLimit + (1 << rcvWndShift);
  const { readable, readSeq } = receive;
  const text = codec.bytes(
    "text",
    readable,
    most,
    (target) => receive.ring.copy(0, target, 0, readable),
  );
  if (readable === 0 && text.length > 0) receive.store(readSeq, text, 0, text.length);
  const latest: number[] = [];
  receive.outOfOrder?.appendLatest(latest, MAX_HOLES);
  const count = latest.length / 2;
  codec.list("outOfOrder", count, MAX_HOLES, (i) => {
    const at = latest.length - 2 * (i + 1);
    const [known, end] = count > 0 ? [latest[at]!, latest[at + 1]!] : [readSeq, readSeq];
    const start = codec.int("start", known);
    const offset = seqDiff(start, readSeq);
    const late = codec.bytes(
      "text",
      seqDiff(end, start),
      Math.max(0, most - offset),
      (target) => receive.ring.copy(offset, target, 0, target.length),
    );
    // Text that immediately follows the readable bytes would become readable itself.
    if (count === 0 && late.length > 0 && offset > receive.readable) {
      receive.store(start, late, 0, late.length);
    }
  });
}

/** Timestamps and round-trip times. */
function visitMeasurements(tcb: Tcb, codec: FieldCodec): void {
  tcb.tsRecent = codec.int("tsRecent", tcb.tsRecent);
  tcb.tsRecentAt = wholeTime(codec, "tsRecentAt", tcb.tsRecentAt);
  tcb.tsOffset = codec.clockOffset("tsOffset", tcb.tsOffset);
  tcb.srttUs = codec.count("srttUs", tcb.srttUs);
  tcb.rttvarUs = codec.count("rttvarUs", tcb.rttvarUs);
  tcb.minRttUs = codec.count("minRttUs", tcb.minRttUs);
}

function visitScoreboard(tcb: Tcb, codec: FieldCodec, orders: SendOrders): void {
  if (tcb.scoreboard === EMPTY_SCOREBOARD) tcb.scoreboard = tcb.environment.scoreboards.take();
  tcb.scoreboard.visitFields(codec, orders);
  if (tcb.scoreboard.isEmpty) tcb.forgetSent();
}

/** The records that all connections share until they change them. */
function visitRareRecords(tcb: Tcb, codec: FieldCodec, orders: SendOrders): void {
  const loss = tcb.loss === NO_LOSS ? undefined : tcb.loss as LossRecovery;
  tcb.loss = codec.optional("loss", loss, () => new LossRecovery(), (own) => {
    codec.part("loss", () => visitLoss(own, codec, orders));
    return own;
  }) ?? NO_LOSS;
  const reordering = tcb.reordering === IN_ORDER ? undefined : tcb.reordering as Reordering;
  codec.optional("reordering", reordering, () => ownReordering(tcb), (own) => {
    codec.part("reordering", () => visitReordering(own, codec));
    return own;
  });
  const probes = tcb.probes === NO_PROBES ? undefined : tcb.probes as Probes;
  codec.optional("probes", probes, () => ownProbes(tcb), (own) => {
    codec.part("probes", () => visitProbes(own, codec));
    return own;
  });
  const options = tcb.userOptions === DEFAULT_OPTIONS ? undefined : tcb.userOptions as UserOptions;
  codec.optional("userOptions", options, () => ownOptions(tcb), (own) => {
    codec.part("userOptions", () => visitUserOptions(own, codec));
    return own;
  });
}

function visitLoss(loss: LossRecovery, codec: FieldCodec, orders: SendOrders): void {
  loss.phase = codec.choice("phase", loss.phase, PHASES);
  loss.point = codec.int("point", loss.point);
  loss.duplicateAcks = codec.count("duplicateAcks", loss.duplicateAcks);
  loss.rtoBackoff = codec.count("rtoBackoff", loss.rtoBackoff);
  loss.timeouts = codec.count("timeouts", loss.timeouts);
  loss.timedOutAt = codec.time("timedOutAt", loss.timedOutAt);
  loss.rack = codec.optional("rack", loss.rack, () => new Rack(), (rack) => {
    codec.part("rack", () => rack.visitFields(codec, orders));
    return rack;
  });
  loss.prr = codec.optional("prr", loss.prr, () => new RateReduction(), (prr) => {
    codec.part("prr", () => prr.visitFields(codec));
    return prr;
  });
  loss.undo = codec.optional("undo", loss.undo, () => NO_UNDO, (undo) => {
    let visited = undo;
    codec.part("undo", () => visited = visitUndo(undo, codec));
    return visited;
  });
  loss.retransmits = codec.count("retransmits", loss.retransmits);
  loss.spurious = codec.count("spurious", loss.spurious);
  loss.tailProbe = codec.optional("tailProbe", loss.tailProbe, () => NO_TAIL_PROBE, (probe) => {
    let visited = probe;
    codec.part("tailProbe", () => visited = visitTailProbe(probe, codec));
    return visited;
  });
  loss.ecnPoint = optionalInt(codec, "ecnPoint", loss.ecnPoint);
}

const NO_UNDO: UndoPoint = {
  byTimeout: false,
  cwnd: 0,
  ssthresh: 0,
  tsVal: 0,
  firstLost: 0,
  unreported: 0,
};

function visitUndo(undo: UndoPoint, codec: FieldCodec): UndoPoint {
  return {
    byTimeout: codec.flag("byTimeout", undo.byTimeout),
    cwnd: codec.real("cwnd", undo.cwnd),
    ssthresh: codec.limit("ssthresh", undo.ssthresh),
    tsVal: codec.int("tsVal", undo.tsVal),
    firstLost: codec.int("firstLost", undo.firstLost),
    unreported: codec.count("unreported", undo.unreported),
  };
}

const NO_TAIL_PROBE: TailProbe = { end: 0, isRetransmission: false, tsVal: 0 };

function visitTailProbe(probe: TailProbe, codec: FieldCodec): TailProbe {
  return {
    end: codec.int("end", probe.end),
    isRetransmission: codec.flag("isRetransmission", probe.isRetransmission),
    tsVal: codec.int("tsVal", probe.tsVal),
  };
}

function visitReordering(reordering: Reordering, codec: FieldCodec): void {
  reordering.segments = codec.count("segments", reordering.segments);
  reordering.fin = optionalInt(codec, "fin", reordering.fin);
  reordering.duplicateStart = codec.int("duplicateStart", reordering.duplicateStart);
  reordering.duplicateEnd = codec.int("duplicateEnd", reordering.duplicateEnd);
  reordering.duplicateAcks = codec.count("duplicateAcks", reordering.duplicateAcks, MAX_U16);
  reordering.quickAcks = codec.count("quickAcks", reordering.quickAcks, MAX_U16);
}

function visitProbes(probes: Probes, codec: FieldCodec): void {
  probes.keepAlives = codec.count("keepAlives", probes.keepAlives);
  probes.persistBackoff = codec.count("persistBackoff", probes.persistBackoff, MAX_U16);
  probes.raiseMtuAt = codec.time("raiseMtuAt", probes.raiseMtuAt);
  probes.raiseMtuTo = codec.count("raiseMtuTo", probes.raiseMtuTo, MAX_U16);
}

function visitUserOptions(options: UserOptions, codec: FieldCodec): void {
  options.lingerMs = optionalReal(codec, "lingerMs", options.lingerMs);
  options.userTimeoutMs = optionalReal(codec, "userTimeoutMs", options.userTimeoutMs);
}

/** Deadlines of timers, and times of past events. */
function visitTimes(tcb: Tcb, codec: FieldCodec): void {
  for (const [name, timer] of Object.entries(TIMER) as [string, Timer][]) {
    const before = timerAt(tcb, timer);
    const at = codec.time(`timer ${name}`, before);
    // Soon after the start of the clock, a deadline in the past would be 0 or less, but 0 means that a timer is off.
    if (at !== before && at !== Infinity) setTimer(tcb, timer, Math.max(at, 1));
  }
  tcb.lastReceivedAt = wholeTime(codec, "lastReceivedAt", tcb.lastReceivedAt);
  tcb.outstandingSince = wholeTime(codec, "outstandingSince", tcb.outstandingSince);
  tcb.progressAt = wholeTime(codec, "progressAt", tcb.progressAt);
  tcb.lastSentAt = wholeTime(codec, "lastSentAt", tcb.lastSentAt);
  tcb.lastReadAt = wholeTime(codec, "lastReadAt", tcb.lastReadAt);
  tcb.readMarkAt = codec.time("readMarkAt", tcb.readMarkAt);
  tcb.challengedAt = optionalTime(codec, "challengedAt", tcb.challengedAt);
}

function wholeTime(codec: FieldCodec, name: string, value: number): number {
  return Math.floor(codec.time(name, value));
}

function visitCounters(tcb: Tcb, codec: FieldCodec): void {
  tcb.bytesIn = codec.count("bytesIn", tcb.bytesIn);
  tcb.bytesOut = codec.count("bytesOut", tcb.bytesOut);
  tcb.segmentsIn = codec.count("segmentsIn", tcb.segmentsIn);
  tcb.segmentsOut = codec.count("segmentsOut", tcb.segmentsOut);
  tcb.packetId = codec.count("packetId", tcb.packetId);
  const softError = codec.choice("softError", tcb.softError ?? "none", SOFT_ERRORS);
  tcb.softError = softError === "none" ? undefined : softError;
}
