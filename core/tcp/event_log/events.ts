/**
 * The events of a TCP event log, as they are written: names and fields follow qlog
 * (draft-ietf-quic-qlog-main-schema, draft-ietf-quic-qlog-quic-events). Sequence numbers are unsigned,
 * as on the wire; lengths are in bytes, times in milliseconds. Types only.
 *
 * @module
 */
import type { DropReason } from "../../wire/drop_reason.ts";
import type { CongestionName } from "../config.ts";
import type { EndReason, TcpState } from "../state.ts";

/** An event. */
export type TcpEvent = { [Name in TcpEventName]: TcpEventOf<Name> }[TcpEventName];

/** The event of one name. */
export interface TcpEventOf<Name extends TcpEventName> {
  /** When it happened, by the stack's clock. */
  readonly time: number;
  /** What happened. */
  readonly name: Name;
  /** The details. */
  readonly data: TcpEventData[Name];
}

/** The name of an event. */
export type TcpEventName = keyof TcpEventData;

/** The details of each event. */
export interface TcpEventData {
  /** The whole state: the first event of a log, and the first after dropped events. */
  readonly "tcp:snapshot": ConnectionSnapshot;
  /** The reader was too slow. A snapshot follows. */
  readonly "tcp:events_dropped": { readonly count: number };
  /** A segment or super-packet was passed to the link. */
  readonly "tcp:segment_sent": SentSegment;
  /** A segment or super-packet arrived. */
  readonly "tcp:segment_received": ReceivedSegment;
  /** SND.UNA advanced, or a range was sacked. */
  readonly "tcp:data_acknowledged": {
    /** SND.UNA. */
    readonly snd_una: number;
    /** Sequence numbers newly acknowledged. */
    readonly acked: number;
    /** Bytes above SND.UNA that the peer has reported (RFC 2018). */
    readonly sacked: number;
  };
  /** A range has to be retransmitted. */
  readonly "tcp:data_lost": {
    /** Its first sequence number. */
    readonly start: number;
    /** The sequence number after the range. */
    readonly end: number;
    /** What detected the loss. */
    readonly trigger: LossTrigger;
  };
  /** At least one of the metrics changed; only those that changed are present. */
  readonly "tcp:recovery_metrics_updated": Partial<RecoveryMetrics> & {
    /** The sample that changed the estimates (RFC 6298 2). */
    readonly latest_rtt?: number;
  };
  /** The congestion controller changed its behaviour. */
  readonly "tcp:congestion_state_updated": {
    /** The previous one. */
    readonly old: CongestionState;
    /** The new one. */
    readonly new: CongestionState;
    /** Recovery was spurious and has been undone (RFC 3522, RFC 5682, RFC 3708). */
    readonly trigger?: "spurious";
  };
  /** A timer was started or changed, ran out, or was stopped. */
  readonly "tcp:timer_updated": TimerUpdate;
  /** RFC 9293 figure 5. */
  readonly "tcp:connection_state_updated": {
    /** The previous one. */
    readonly old: TcpState;
    /** The new one. */
    readonly new: TcpState;
    /** In CLOSED: why, unless the connection ended without an error. */
    readonly error?: EndReason;
  };
  /** The application has written. */
  readonly "tcp:data_written": {
    /** Number of bytes. */
    readonly length: number;
    /** Bytes in the send buffer that were not sent yet. */
    readonly unsent: number;
  };
  /** The application has read. */
  readonly "tcp:data_read": {
    /** Number of bytes. */
    readonly length: number;
    /** Bytes received in order and not read yet. */
    readonly unread: number;
  };
}

/** The metrics of loss recovery and congestion control. */
export interface RecoveryMetrics {
  /** In bytes. */
  readonly congestion_window: number;
  /** `null`: there is no threshold yet. */
  readonly ssthresh: number | null;
  /** Bytes sent that are neither acknowledged, sacked nor lost. */
  readonly bytes_in_flight: number;
  /** SRTT (RFC 6298); 0 before the first sample, as are the next two. */
  readonly smoothed_rtt: number;
  /** RTTVAR. */
  readonly rtt_variance: number;
  /** The smallest sample (RFC 8985 6.2, step 1). */
  readonly min_rtt: number;
  /** Retransmission timeout, backoff included. */
  readonly rto: number;
  /** Number of times that the RTO was doubled (RFC 6298 5.5). */
  readonly rto_backoff: number;
  /** Bits per second; `null`: segments are not paced. */
  readonly pacing_rate: number | null;
  /** SND.WND: the peer's window. */
  readonly send_window: number;
  /** Text in a full segment. */
  readonly send_mss: number;
}

/** What the congestion controller does. */
export type CongestionState =
  | "slow_start"
  | "congestion_avoidance"
  /** Fast recovery (RFC 6675). */
  | "recovery"
  /** After a retransmission timeout, until everything sent before is acknowledged. */
  | "timeout"
  /** Outside of recovery, for algorithms without slow start threshold. */
  | "open";

/** How a loss was detected: RACK (RFC 8985), three duplicate ACKs (RFC 5681), or a timer. */
export type LossTrigger = "rack" | "duplicate_acks" | "retransmission_timeout" | "probe_timeout";

/** The timers of a connection. */
export type TimerName =
  /** RACK's reordering timer (RFC 8985 6.2). */
  | "reordering"
  /** RFC 8985 7. */
  | "tail_loss_probe"
  /** RFC 6298. */
  | "retransmission"
  /** RFC 9293 3.8.6.1. */
  | "persist"
  /** RFC 9293 3.8.6.3. */
  | "delayed_ack"
  /** Acknowledges bytes that the application leaves unread. */
  | "ack_stall"
  /** RFC 9293 3.8.4. */
  | "keep_alive"
  /** The end of TIME-WAIT, or of a half-open or closed connection. */
  | "lifetime"
  | "pacing";

/** A change of a timer. */
export interface TimerUpdate {
  /** Which timer. */
  readonly timer_type: TimerName;
  /** What happened to it. */
  readonly event_type: "set" | "expired" | "cancelled";
  /** For `set`: milliseconds until it runs out. */
  readonly delta?: number;
}

/** Header fields of a segment. */
export interface SegmentHeader {
  /** SEG.SEQ. */
  readonly seq: number;
  /** Absent without the ACK flag. */
  readonly ack?: number;
  /** The control bits that are set. */
  readonly flags: readonly TcpFlagName[];
  /** In bytes, scaled (RFC 7323 2.2). */
  readonly window: number;
  /** Length of the text, without SYN and FIN. */
  readonly length: number;
  /** Number of segments on the wire, for a super-packet. */
  readonly segments?: number;
  /** ECN codepoint of the IP header (RFC 3168 5), unless it is Not-ECT. */
  readonly ecn?: "ECT(0)" | "ECT(1)" | "CE";
  /** Absent if there are none. */
  readonly options?: SegmentOptions;
}

/** The options of a segment that are present. */
export interface SegmentOptions {
  /** RFC 9293 3.7.1. */
  readonly mss?: number;
  /** Shift count (RFC 7323 2). */
  readonly window_scale?: number;
  /** RFC 2018 2. */
  readonly sack_permitted?: true;
  /** RFC 7323 3. */
  readonly timestamps?: { readonly value: number; readonly echo_reply: number };
  /** Blocks as pairs of sequence numbers (RFC 2018 3). */
  readonly sack?: readonly (readonly [number, number])[];
}

/** Control bits (RFC 9293 3.1). */
export type TcpFlagName = "FIN" | "SYN" | "RST" | "PSH" | "ACK" | "URG" | "ECE" | "CWR";

/** A segment that was sent. */
export interface SentSegment {
  /** Its header and the length of its text. */
  readonly header: SegmentHeader;
  /** Present if it is not new data or an acknowledgement. */
  readonly trigger?: "retransmission" | "tail_loss_probe" | "window_probe" | "keep_alive";
}

/** A segment that arrived. */
export interface ReceivedSegment {
  /** Its header and the length of its text. */
  readonly header: SegmentHeader;
  /** Why the stack dropped it. */
  readonly drop_reason?: DropReason;
}

/** An address and port. */
export interface LoggedEndpoint {
  /** IPv4 or IPv6, in text form. */
  readonly address: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** The state of a connection. */
export interface ConnectionSnapshot {
  /** This side. */
  readonly local: LoggedEndpoint;
  /** The peer. */
  readonly remote: LoggedEndpoint;
  /** Which side opened the connection. */
  readonly role: "client" | "server";
  /** RFC 9293 figure 5. */
  readonly state: TcpState;
  /** The initial sequence number of this side. */
  readonly iss: number;
  /** The initial sequence number of the peer; 0 before its SYN. */
  readonly irs: number;
  /** SND.UNA. */
  readonly snd_una: number;
  /** SND.NXT. */
  readonly snd_nxt: number;
  /** RCV.NXT. */
  readonly rcv_nxt: number;
  /** Whether window scaling is in use (RFC 7323 2). */
  readonly window_scaling: boolean;
  /** Whether SACK may be used (RFC 2018 2). */
  readonly sack: boolean;
  /** Whether timestamps are in use (RFC 7323 3). */
  readonly timestamps: boolean;
  /** Whether ECN is in use (RFC 3168 6.1.1). */
  readonly ecn: boolean;
  /** The algorithm. */
  readonly congestion_control: CongestionName;
  /** What the algorithm does. */
  readonly congestion_state: CongestionState;
  /** All metrics. */
  readonly metrics: RecoveryMetrics;
  /** Timers that are running. */
  readonly timers: readonly { readonly timer_type: TimerName; readonly delta: number }[];
  /** Ranges that have to be retransmitted, as pairs of sequence numbers. */
  readonly lost: readonly (readonly [number, number])[];
  /** Bytes written and not sent yet. */
  readonly unsent: number;
  /** Bytes received in order and not read yet. */
  readonly unread: number;
}
