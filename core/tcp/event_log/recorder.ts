/**
 * Records the events of one connection. The stack calls it around each step of the connection, and it
 * compares the state before and after, so that nothing else in `core/tcp` refers to the log.
 *
 * @module
 */
import { OutgoingPacket } from "../../buffers/outgoing_packet.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { seqDiff, seqLt } from "../../wire/seq.ts";
import { parseTcp, Segment } from "../../wire/tcp.ts";
import { ACK_CONTEXT } from "../ack_context.ts";
import type { ForcedSegment } from "../forced_segment.ts";
import type { Tcb } from "../tcb.ts";
import { RELEASED, SACK_PERMITTED } from "../tcb_flags.ts";
import { echoedRtt } from "../timestamps.ts";
import { EventQueue } from "./event_queue.ts";
import type {
  LossTrigger,
  RecoveryMetrics,
  SegmentHeader,
  SentSegment,
  TcpEvent,
  TcpEventData,
  TcpEventName,
  TcpEventOf,
} from "./events.ts";
import { newlyLost } from "./lost_ranges.ts";
import {
  microseconds,
  observe,
  type ObservedState,
  snapshotOf,
  TIMER_NAMES,
  unsentOf,
} from "./observed_state.ts";
import { segmentHeader } from "./segment_header.ts";

/** For parsing sent segments; reused. */
const SENT = new Segment();

const PROBES: Readonly<Partial<Record<ForcedSegment, SentSegment["trigger"]>>> = {
  "tail-probe": "tail_loss_probe",
  "window-probe": "window_probe",
  "keep-alive": "keep_alive",
};

/** The log of one connection, with any number of readers. */
export class EventRecorder {
  readonly #tcb: Tcb;
  readonly #notify: (queue: EventQueue) => void;
  #queues: readonly EventQueue[] = [];
  #last: ObservedState;
  /** The segment that is being processed. */
  #arriving: SegmentHeader | undefined;
  /** RTT samples that this segment may give in milliseconds, from its TSecr and as the answer to a SYN; -1: none. */
  #echoed = -1;
  #synRtt = -1;

  /** `notify` is called with the queue of a reader that has read everything, before the next event. */
  constructor(tcb: Tcb, notify: (queue: EventQueue) => void) {
    this.#tcb = tcb;
    this.#notify = notify;
    this.#last = observe(tcb);
  }

  /** Adds a reader with at most `limit` unread events. The first event is a snapshot. */
  open(limit: number, now: number): EventQueue {
    this.observe(now);
    const queue = new EventQueue(limit);
    queue.push(this.#snapshot(now));
    this.#queues = [...this.#queues, queue];
    return queue;
  }

  /** Removes a reader, after reporting a gap to it; returns whether no reader is left. */
  close(queue: EventQueue, now: number): boolean {
    this.observe(now);
    if (queue.hasGap) queue.resume(this.#snapshot(now));
    this.#queues = this.#queues.filter((one) => one !== queue);
    return this.#queues.length === 0;
  }

  /** Wakes the readers, because no more events follow. */
  wakeReaders(): void {
    for (const queue of this.#queues) this.#notify(queue);
  }

  /** Whether no more events can follow. */
  get hasEnded(): boolean {
    return this.#tcb.has(RELEASED);
  }

  // ---------------------------------------------------------------- steps of the connection

  /** Records the SYN that opened the connection. The snapshot includes the changes that it made. */
  openedBy(syn: Segment, now: number): void {
    this.#push(now, "tcp:segment_received", { header: segmentHeader(syn, 0) });
  }

  /** A segment is about to be processed, which changes `segment`. */
  arrives(segment: Segment, now: number): void {
    const tcb = this.#tcb;
    this.observe(now);
    this.#arriving = segmentHeader(segment, tcb.sndWndShift);
    this.#echoed = echoedRtt(tcb, segment, now);
    const syn = tcb.state === "SYN-SENT" && !tcb.scoreboard.isEmpty
      ? tcb.scoreboard.at(0)
      : undefined;
    this.#synRtt = syn?.transmissions === 1 ? now - syn.sentAt : -1;
  }

  /** The segment was processed, or dropped for a reason. */
  arrived(dropped: DropReason | undefined, now: number): void {
    const header = this.#arriving!;
    this.#arriving = undefined;
    this.#push(now, "tcp:segment_received", {
      header,
      ...dropped !== undefined && { drop_reason: dropped },
    });
    this.observe(now, true);
  }

  /** A segment is about to be built. Returns the forced segment that was requested, for {@link sent}. */
  sends(now: number): ForcedSegment {
    this.observe(now);
    return this.#tcb.forced;
  }

  /** A segment was written to `out`; `forced` is what {@link sends} returned. */
  sent(out: OutgoingPacket, forced: ForcedSegment, now: number): void {
    const tcb = this.#tcb;
    const header = headerOf(out, tcb.rcvWndShift);
    const hasLength = header.length > 0 || /SYN|FIN/.test(header.flags.join());
    const isProbe = forced !== tcb.forced && hasLength !== (forced === "keep-alive");
    const probe = isProbe ? PROBES[forced] : undefined;
    const isRepeated = hasLength && seqLt(header.seq | 0, this.#last.sndNxt);
    const trigger = probe ?? (isRepeated ? "retransmission" : undefined);
    this.#push(now, "tcp:segment_sent", { header, ...trigger !== undefined && { trigger } });
    this.observe(now);
  }

  /** Records what has changed since the last call; `afterSegment`: by a segment that arrived. */
  observe(now: number, afterSegment = false): void {
    const before = this.#last;
    const after = this.#last = observe(this.#tcb);
    if (this.#queues.length === 0) return;
    this.#recordUserCalls(before, after, now);
    this.#recordAcknowledged(before, after, now);
    const expired = this.#expired(before, after, now);
    this.#recordLosses(before, after, expired, now);
    this.#recordMetrics(before, after, afterSegment, now);
    this.#recordStates(before, after, now);
    this.#recordTimers(before, after, expired, now);
    // Also after the last step, so that readers that missed events learn how the connection ended.
    for (const queue of this.#queues) {
      if (queue.canResume) queue.resume(this.#snapshot(now));
    }
  }

  // ---------------------------------------------------------------- differences

  #recordUserCalls(before: ObservedState, after: ObservedState, now: number): void {
    const tcb = this.#tcb;
    const written = seqDiff(after.written, before.written);
    if (written > 0) {
      this.#push(now, "tcp:data_written", { length: written, unsent: unsentOf(tcb) });
    }
    const read = before.state === "SYN-SENT" ? 0 : seqDiff(after.read, before.read);
    if (read > 0) this.#push(now, "tcp:data_read", { length: read, unread: tcb.receive.readable });
  }

  #recordAcknowledged(before: ObservedState, after: ObservedState, now: number): void {
    const acked = seqDiff(after.sndUna, before.sndUna);
    if (acked <= 0 && after.sackedBytes === before.sackedBytes) return;
    this.#push(now, "tcp:data_acknowledged", {
      snd_una: after.sndUna >>> 0,
      acked: Math.max(0, acked),
      sacked: after.sackedBytes,
    });
  }

  #recordLosses(
    before: ObservedState,
    after: ObservedState,
    expired: readonly boolean[],
    now: number,
  ): void {
    if (after.lost.length === 0) return;
    for (const [start, end] of newlyLost(after.lost, before.lost)) {
      const trigger = lossTrigger(this.#tcb, expired);
      this.#push(now, "tcp:data_lost", { start: start >>> 0, end: end >>> 0, trigger });
    }
  }

  #recordMetrics(
    before: ObservedState,
    after: ObservedState,
    afterSegment: boolean,
    now: number,
  ): void {
    const changed: Record<string, number | null> = {};
    for (const key of Object.keys(after.metrics) as (keyof RecoveryMetrics)[]) {
      if (after.metrics[key] !== before.metrics[key]) changed[key] = after.metrics[key];
    }
    const sample = afterSegment ? this.#rttSample(before, after) : undefined;
    if (sample === undefined && Object.keys(changed).length === 0) return;
    this.#push(now, "tcp:recovery_metrics_updated", {
      ...changed,
      ...sample !== undefined && { latest_rtt: sample },
    });
  }

  /** The sample that the segment gave, with the resolution of the estimates. */
  #rttSample(before: ObservedState, after: ObservedState): number | undefined {
    const isChanged = before.metrics.smoothed_rtt !== after.metrics.smoothed_rtt ||
      before.metrics.rtt_variance !== after.metrics.rtt_variance;
    if (before.state === "SYN-SENT") return isChanged ? rounded(this.#synRtt) : undefined;
    if (seqDiff(after.sndUna, before.sndUna) <= 0 && !isChanged) return undefined;
    const { rttSample } = ACK_CONTEXT;
    const sample = rttSample >= 0 ? rttSample : this.#echoed;
    return sample >= 0 ? rounded(sample) : undefined;
  }

  #recordStates(before: ObservedState, after: ObservedState, now: number): void {
    if (after.congestionState !== before.congestionState) {
      this.#push(now, "tcp:congestion_state_updated", {
        old: before.congestionState,
        new: after.congestionState,
        ...after.spurious > before.spurious && { trigger: "spurious" },
      });
    }
    if (after.state === before.state) return;
    this.#push(now, "tcp:connection_state_updated", {
      old: before.state,
      new: after.state,
      ...after.state === "CLOSED" && after.error !== undefined && { error: after.error },
    });
  }

  /** Which timers have run out. */
  #expired(before: ObservedState, after: ObservedState, now: number): boolean[] {
    return before.deadlines.map((at, i) => at <= now && after.deadlines[i] !== at);
  }

  #recordTimers(
    before: ObservedState,
    after: ObservedState,
    expired: readonly boolean[],
    now: number,
  ): void {
    for (const [i, [, timer_type]] of TIMER_NAMES.entries()) {
      const at = after.deadlines[i]!;
      if (at === before.deadlines[i]) continue;
      if (expired[i]) {
        this.#push(now, "tcp:timer_updated", { timer_type, event_type: "expired" });
      } else if (at === Infinity) {
        this.#push(now, "tcp:timer_updated", { timer_type, event_type: "cancelled" });
      }
      if (at === Infinity) continue;
      const delta = microseconds(at - now);
      this.#push(now, "tcp:timer_updated", { timer_type, event_type: "set", delta });
    }
  }

  // ---------------------------------------------------------------- readers

  #snapshot(now: number): TcpEventOf<"tcp:snapshot"> {
    const data = snapshotOf(this.#tcb, this.#last, now);
    return { time: microseconds(now), name: "tcp:snapshot", data };
  }

  #push<Name extends TcpEventName>(now: number, name: Name, data: TcpEventData[Name]): void {
    const event = { time: microseconds(now), name, data } as TcpEventOf<Name> as TcpEvent;
    for (const queue of this.#queues) {
      // The reader is notified once, and reads until the queue is empty.
      if (queue.count === 0) this.#notify(queue);
      queue.push(event);
    }
  }
}

function headerOf(out: OutgoingPacket, shift: number): SegmentHeader {
  const start = OutgoingPacket.HEADROOM + out.ipHeaderLength;
  const end = OutgoingPacket.HEADROOM + out.headerLength;
  parseTcp(out.header, start, end, SENT);
  SENT.textEnd = SENT.textStart + out.payloadLength + out.wrappedLength;
  SENT.wireSegments = out.segmentSize > 0 ? Math.ceil(SENT.textLength / out.segmentSize) : 1;
  SENT.ecn = ecnOf(out);
  return segmentHeader(SENT, shift);
}

/** The ECN field of the IP header (RFC 3168 5). */
function ecnOf({ header }: OutgoingPacket): number {
  const at = OutgoingPacket.HEADROOM;
  return header[at]! >>> 4 === 4 ? header[at + 1]! & 3 : (header[at + 1]! >>> 4) & 3;
}

function lossTrigger(tcb: Tcb, expired: readonly boolean[]): LossTrigger {
  const hasExpired = (name: string) => expired[TIMER_NAMES.findIndex(([, one]) => one === name)];
  if (hasExpired("retransmission")) return "retransmission_timeout";
  if (hasExpired("tail_loss_probe")) return "probe_timeout";
  return tcb.has(SACK_PERMITTED) ? "rack" : "duplicate_acks";
}

/** Rounds a sample as the estimator does: to whole microseconds, at least one. */
function rounded(ms: number): number {
  return Math.max(Math.round(ms * 1000), 1) / 1000;
}
