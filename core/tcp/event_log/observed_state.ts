/**
 * A copy of the state that an event log reports, which is compared with a later copy.
 *
 * @module
 */
import { bytesInFlight } from "../recovery/loss_recovery.ts";
import { currentRto } from "../recovery/rtt.ts";
import type { EndReason, TcpState } from "../state.ts";
import type { Tcb } from "../tcb.ts";
import { ECN, PASSIVE, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALING } from "../tcb_flags.ts";
import { TIMER, type Timer, timerAt } from "../timers/timers.ts";
import type { CongestionState, ConnectionSnapshot, RecoveryMetrics, TimerName } from "./events.ts";
import { lostRanges, type Range } from "./lost_ranges.ts";

/** Timers with their names. */
export const TIMER_NAMES: readonly (readonly [Timer, TimerName])[] = [
  [TIMER.REORDER, "reordering"],
  [TIMER.TAIL_PROBE, "tail_loss_probe"],
  [TIMER.RETRANSMIT, "retransmission"],
  [TIMER.PERSIST, "persist"],
  [TIMER.DELAYED_ACK, "delayed_ack"],
  [TIMER.ACK_STALL, "ack_stall"],
  [TIMER.KEEP_ALIVE, "keep_alive"],
  [TIMER.LIFETIME, "lifetime"],
  [TIMER.PACE, "pacing"],
];

/** The state of a connection at one time. */
export interface ObservedState {
  readonly state: TcpState;
  readonly error: EndReason | undefined;
  readonly sndUna: number;
  readonly sndNxt: number;
  readonly sackedBytes: number;
  readonly lost: readonly Range[];
  /** Recoveries that turned out to be spurious. */
  readonly spurious: number;
  readonly congestionState: CongestionState;
  readonly metrics: RecoveryMetrics;
  /** Deadlines in the order of {@link TIMER_NAMES}; `Infinity`: not running. */
  readonly deadlines: readonly number[];
  /** Sequence numbers after the last byte written, and of the next byte to read. */
  readonly written: number;
  readonly read: number;
}

/** The present state. */
export function observe(tcb: Tcb): ObservedState {
  return {
    state: tcb.state,
    error: tcb.error,
    sndUna: tcb.sndUna,
    sndNxt: tcb.sndNxt,
    sackedBytes: tcb.scoreboard.sackedBytes,
    lost: lostRanges(tcb.scoreboard),
    spurious: tcb.loss.spurious,
    congestionState: congestionState(tcb),
    metrics: metricsOf(tcb),
    deadlines: TIMER_NAMES.map(([timer]) => timerAt(tcb, timer)),
    // The acknowledged FIN has a sequence number of its own.
    written: (tcb.sendStart + tcb.send.length - (tcb.allAcknowledged ? 1 : 0)) | 0,
    read: tcb.receive.readSeq,
  };
}

function metricsOf(tcb: Tcb): RecoveryMetrics {
  const { cwnd, ssthresh, pacingRate } = tcb.congestion;
  return {
    congestion_window: cwnd,
    ssthresh: ssthresh === Infinity ? null : ssthresh,
    bytes_in_flight: bytesInFlight(tcb),
    smoothed_rtt: tcb.srttUs / 1000,
    rtt_variance: tcb.rttvarUs / 1000,
    min_rtt: tcb.minRttUs / 1000,
    rto: currentRto(tcb),
    rto_backoff: tcb.loss.rtoBackoff,
    pacing_rate: pacingRate === undefined ? null : pacingRate * 8000,
    send_window: tcb.sndWnd,
    send_mss: tcb.sendMss,
  };
}

function congestionState({ loss, congestion, config }: Tcb): CongestionState {
  if (loss.phase === "fast") return "recovery";
  if (loss.phase === "timeout") return "timeout";
  if (config.congestion === "bbr" || config.congestion === "unacked") return "open";
  return congestion.cwnd < congestion.ssthresh ? "slow_start" : "congestion_avoidance";
}

/** An observed state as a log writes it; `now` is the time of the event. */
export function snapshotOf(tcb: Tcb, observed: ObservedState, now: number): ConnectionSnapshot {
  const { local, localPort, remote, remotePort, config } = tcb;
  return {
    local: { address: `${local}`, port: localPort },
    remote: { address: `${remote}`, port: remotePort },
    role: tcb.has(PASSIVE) ? "server" : "client",
    state: observed.state,
    iss: tcb.iss >>> 0,
    irs: tcb.irs >>> 0,
    snd_una: observed.sndUna >>> 0,
    snd_nxt: observed.sndNxt >>> 0,
    rcv_nxt: tcb.rcvNxt >>> 0,
    window_scaling: tcb.has(WINDOW_SCALING),
    sack: tcb.has(SACK_PERMITTED),
    timestamps: tcb.has(TIMESTAMPS),
    ecn: tcb.has(ECN),
    congestion_control: config.congestion,
    congestion_state: observed.congestionState,
    metrics: observed.metrics,
    timers: TIMER_NAMES.flatMap(([, timer_type], i) => {
      const at = observed.deadlines[i]!;
      return at === Infinity ? [] : [{ timer_type, delta: microseconds(at - now) }];
    }),
    lost: observed.lost.map(([start, end]) => [start >>> 0, end >>> 0]),
    unsent: unsentOf(tcb),
    unread: tcb.receive.readable,
  };
}

/** Rounds milliseconds to microseconds: further digits would only be floating-point errors. */
export function microseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Bytes written and not sent yet; 0 once the connection has been released. */
export function unsentOf(tcb: Tcb): number {
  // Until the SYN is sent, SND.NXT lies before the first byte.
  return Math.max(0, Math.min(tcb.unsent, tcb.send.length));
}
