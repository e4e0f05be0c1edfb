/**
 * Replays an event log: the state of the connection at each of its events.
 *
 * @module
 */
import type {
  CongestionState,
  RecoveryMetrics,
  TcpEvent,
  TimerName,
} from "../../tcp/event_log/events.ts";
import type { TcpState } from "../../tcp/state.ts";

/** The state of a connection after an event. */
export interface ReplayedState {
  /** Time of the event, in milliseconds. */
  readonly time: number;
  /** RFC 9293 figure 5. */
  readonly state: TcpState;
  /** SND.UNA, unsigned. */
  readonly sndUna: number;
  /** SND.NXT, unsigned. */
  readonly sndNxt: number;
  /** What the congestion controller does. */
  readonly congestionState: CongestionState;
  /** Congestion window, RTT estimates and others. */
  readonly metrics: RecoveryMetrics;
  /** The last RTT sample in milliseconds; `undefined`: none was logged. */
  readonly latestRtt: number | undefined;
  /** When each running timer runs out, by the clock of the log. */
  readonly timers: ReadonlyMap<TimerName, number>;
  /** Segments sent again since the log began. */
  readonly retransmissions: number;
  /** The bytes of their text. */
  readonly retransmittedBytes: number;
}

/**
 * The state after each event of a log, from its first snapshot on. Between dropped events and the next
 * snapshot nothing is known, and nothing is returned.
 *
 * @example
 * ```ts
 * import { createStack, replayEvents } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { discard } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(9, discard());
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:9");
 * using log = socket.eventLog();
 * await socket.write(new Uint8Array(100_000));
 * for (const { time, metrics } of replayEvents(log.take())) {
 *   console.log(time, metrics.congestion_window, metrics.smoothed_rtt);
 * }
 * ```
 */
export function* replayEvents(events: Iterable<TcpEvent>): Generator<ReplayedState> {
  let state: ReplayedState | undefined;
  for (const event of events) {
    state = next(state, event);
    if (state !== undefined) yield state;
  }
}

function next(before: ReplayedState | undefined, event: TcpEvent): ReplayedState | undefined {
  if (event.name === "tcp:events_dropped") return undefined;
  const { time } = event;
  if (event.name === "tcp:snapshot") {
    const { data } = event;
    return {
      time,
      state: data.state,
      sndUna: data.snd_una,
      sndNxt: data.snd_nxt,
      congestionState: data.congestion_state,
      metrics: data.metrics,
      latestRtt: before?.latestRtt,
      timers: new Map(data.timers.map(({ timer_type, delta }) => [timer_type, time + delta])),
      retransmissions: before?.retransmissions ?? 0,
      retransmittedBytes: before?.retransmittedBytes ?? 0,
    };
  }
  return before === undefined ? undefined : { ...before, time, ...changesOf(before, event) };
}

function changesOf(before: ReplayedState, event: TcpEvent): Partial<ReplayedState> {
  switch (event.name) {
    case "tcp:segment_sent": {
      const { header, trigger } = event.data;
      const { seq, length, flags, segments = 1 } = header;
      const extra = Number(flags.includes("SYN")) + Number(flags.includes("FIN"));
      const end = (seq + length + extra) >>> 0;
      const isNew = ((end - before.sndNxt) | 0) > 0;
      const isRepeated = trigger !== undefined && !isNew && length + extra > 0;
      return {
        sndNxt: isNew ? end : before.sndNxt,
        retransmissions: before.retransmissions + (isRepeated ? segments : 0),
        retransmittedBytes: before.retransmittedBytes + (isRepeated ? length : 0),
      };
    }
    case "tcp:data_acknowledged":
      return { sndUna: event.data.snd_una };
    case "tcp:recovery_metrics_updated": {
      const { latest_rtt = before.latestRtt, ...changed } = event.data;
      return { latestRtt: latest_rtt, metrics: { ...before.metrics, ...changed } };
    }
    case "tcp:congestion_state_updated":
      return { congestionState: event.data.new };
    case "tcp:connection_state_updated":
      return { state: event.data.new };
    case "tcp:timer_updated": {
      const { timer_type, event_type, delta = 0 } = event.data;
      const timers = new Map(before.timers);
      if (event_type === "set") timers.set(timer_type, event.time + delta);
      else timers.delete(timer_type);
      return { timers };
    }
    default:
      return {};
  }
}
