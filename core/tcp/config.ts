/**
 * The configuration of connections; `core/api` validates it.
 *
 * @module
 */

/** When received bytes are acknowledged. */
export type AcknowledgePolicy = "on-read" | "on-processed" | "on-arrival";

/** Names of the congestion control algorithms. */
export type CongestionName = "unacked" | "newreno" | "cubic" | "bbr";

/** Options of a connection. Times are in milliseconds, sizes in bytes. */
export interface TcpConfig {
  /**
   * `on-read`: when the application reads. `on-processed`: when the reader asks for the next chunk.
   * `on-arrival`: RFC 9293.
   */
  readonly acknowledge: AcknowledgePolicy;
  /** Time without a read after which unread bytes are acknowledged. */
  readonly ackStallMs: number;
  /** `reset`: close() ends in a RST once the peer has closed as well. `graceful`: RFC 9293 3.6. */
  readonly close: "reset" | "graceful";
  /** Response to the peer's FIN in FIN-WAIT-2: a RST, or TIME-WAIT. */
  readonly finish: "reset" | "time-wait";
  /** Retransmit the SYN,ACK on a timer, not only when the SYN is retransmitted. */
  readonly retransmitSynAck: boolean;
  /** The congestion control algorithm: `unacked`, `newreno`, `cubic` or `bbr`. */
  readonly congestion: CongestionName;
  /** Maximum number of unacknowledged bytes with congestion control `unacked`. */
  readonly maxUnacked: number;
  /**
   * Maximum number of bytes written and not acknowledged; the buffer grows up to this if the path
   * can use it.
   */
  readonly sendBuffer: number;
  /**
   * Maximum number of unread bytes, which is the largest window offered; the buffer grows up to
   * this if path and reader can use it.
   */
  readonly receiveBuffer: number;
  /** Delay of delayed acknowledgements, below 500 (RFC 9293 3.8.6.3); 0: no delay. */
  readonly delayedAckMs: number;
  /** Minimum RTO: 200 ms as in Linux, not the 1 s of RFC 6298 2.4. */
  readonly minRtoMs: number;
  /** Maximum RTO (RFC 6298 2.5). */
  readonly maxRtoMs: number;
  /** RTO before the first RTT sample (RFC 6298 2.1). */
  readonly initialRtoMs: number;
  /** Maximum segment lifetime: TIME-WAIT lasts twice as long. */
  readonly msl: number;
  /** Time limit of a connection attempt (R2 for a SYN, RFC 9293 3.8.3). */
  readonly connectTimeoutMs: number;
  /** How long the peer may be silent while data is outstanding (R2, RFC 9293 3.8.3). */
  readonly userTimeoutMs: number;
  /** `userTimeoutMs` after the application has closed. */
  readonly orphanTimeoutMs: number;
  /** How long delivery may make no progress after the application has closed. */
  readonly lingerMs: number;
  /** Send keep-alive probes from the start (RFC 9293 3.8.4); sockets can turn them on later. */
  readonly keepAlive: boolean;
  /** Idle time before the first keep-alive probe. */
  readonly keepAliveIdleMs: number;
  /** Time between keep-alive probes. */
  readonly keepAliveIntervalMs: number;
  /** Number of unanswered keep-alive probes after which the connection ends. */
  readonly keepAliveProbes: number;
  /** Nagle's algorithm off (RFC 9293 3.7.4). */
  readonly noDelay: boolean;
  /** Offer selective acknowledgement (RFC 2018). */
  readonly sack: boolean;
  /** Offer timestamps (RFC 7323 3). */
  readonly timestamps: boolean;
  /** Offer window scaling (RFC 7323 2), without which windows are at most 65,535 bytes. */
  readonly windowScaling: boolean;
  /** MSS to announce; 0: from the link's MTU. */
  readonly mss: number;
  /** TTL or hop limit, 1 to 255. */
  readonly hopLimit: number;
  /** Offer explicit congestion notification (RFC 3168). */
  readonly ecn: boolean;
  /** Traffic class of every packet: the DSCP in the upper six bits. */
  readonly trafficClass: number;
}

/** Initial buffer limit of a connection in each direction, in bytes; `autotune.ts` raises it. */
export const INITIAL_BUFFER: number = 256 * 1024;

const COMMON = {
  ackStallMs: 60_000,
  maxUnacked: 1024 * 1024,
  sendBuffer: 4 * 1024 * 1024,
  receiveBuffer: 4 * 1024 * 1024,
  minRtoMs: 200,
  maxRtoMs: 60_000,
  initialRtoMs: 1000,
  msl: 30_000,
  connectTimeoutMs: 180_000,
  userTimeoutMs: 900_000,
  orphanTimeoutMs: 120_000,
  lingerMs: 900_000,
  keepAlive: false,
  keepAliveIdleMs: 7_200_000,
  keepAliveIntervalMs: 75_000,
  keepAliveProbes: 9,
  noDelay: true,
  sack: true,
  windowScaling: true,
  mss: 0,
  hopLimit: 64,
  trafficClass: 0,
} as const;

/** The two profiles: for a link to this host, and RFC 9293 in full. */
export const PROFILES: { readonly local: TcpConfig; readonly internet: TcpConfig } = {
  local: Object.freeze({
    ...COMMON,
    acknowledge: "on-read",
    close: "reset",
    finish: "reset",
    retransmitSynAck: false,
    congestion: "unacked",
    delayedAckMs: 0,
    timestamps: false,
    ecn: false,
  }),
  internet: Object.freeze({
    ...COMMON,
    acknowledge: "on-arrival",
    close: "graceful",
    finish: "time-wait",
    retransmitSynAck: true,
    congestion: "cubic",
    delayedAckMs: 40,
    timestamps: true,
    ecn: true,
  }),
};
