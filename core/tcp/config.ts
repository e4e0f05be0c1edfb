/**
 * What can be set for a connection. Plain data; what a user writes is checked in `core/api`.
 *
 * @module
 */

/** When a received byte is acknowledged. */
export type AcknowledgePolicy = "on-read" | "on-processed" | "on-arrival";

/** Names of the congestion control algorithms. */
export type CongestionName = "unacked" | "newreno" | "cubic" | "bbr";

/** Every knob of a connection. Times are in milliseconds, sizes in bytes. */
export interface TcpConfig {
  /**
   * `on-read`: when the application took it. `on-processed`: when the reader asks for the next
   * chunk. `on-arrival`: RFC 9293.
   */
  readonly acknowledge: AcknowledgePolicy;
  /** Unread bytes are acknowledged after this long without a read. */
  readonly ackStallMs: number;
  /** `reset`: close() ends in a RST once the peer has closed as well. `graceful`: RFC 9293 3.6. */
  readonly close: "reset" | "graceful";
  /** What answers the peer's FIN in FIN-WAIT-2: a RST, or TIME-WAIT. */
  readonly finish: "reset" | "time-wait";
  /** Retransmit SYN,ACK on a timer, not only when the SYN comes again. */
  readonly retransmitSynAck: boolean;
  /** The congestion control algorithm. */
  readonly congestion: CongestionName;
  /** With congestion `unacked`: bytes sent and not acknowledged, at most. */
  readonly maxUnacked: number;
  /** Bytes written and not acknowledged, at most; reached only where the path can use it. */
  readonly sendBuffer: number;
  /**
   * Bytes received and not read, at most: the largest window that is offered; reached only where
   * path and reader can use it.
   */
  readonly receiveBuffer: number;
  /** Delay of an acknowledgement that may wait (RFC 9293 3.8.6.3), below 500; 0: none waits. */
  readonly delayedAckMs: number;
  /** The least retransmission timeout (RFC 6298 2.4 says 1 s, Linux has 200 ms, as here). */
  readonly minRtoMs: number;
  /** The largest retransmission timeout (RFC 6298 2.5). */
  readonly maxRtoMs: number;
  /** The retransmission timeout before the first round-trip sample (RFC 6298 2.1). */
  readonly initialRtoMs: number;
  /** Maximum segment lifetime: TIME-WAIT lasts twice as long. */
  readonly msl: number;
  /** A connection attempt is given up after this long (R2 for a SYN, RFC 9293 3.8.3). */
  readonly connectTimeoutMs: number;
  /** A connection whose peer says nothing is given up after this long (R2, RFC 9293 3.8.3). */
  readonly userTimeoutMs: number;
  /** The same once the application has closed. */
  readonly orphanTimeoutMs: number;
  /** A closed connection whose peer answers and takes nothing is given up after this long. */
  readonly lingerMs: number;
  /** Probe an idle peer from the start (RFC 9293 3.8.4); sockets can turn it on later. */
  readonly keepAlive: boolean;
  /** Silence before the first keep-alive probe. */
  readonly keepAliveIdleMs: number;
  /** Time between keep-alive probes. */
  readonly keepAliveIntervalMs: number;
  /** Unanswered keep-alive probes after which the connection is given up. */
  readonly keepAliveProbes: number;
  /** Nagle's algorithm off (RFC 9293 3.7.4). */
  readonly noDelay: boolean;
  /** Offer selective acknowledgement (RFC 2018). */
  readonly sack: boolean;
  /** Offer timestamps (RFC 7323 3). */
  readonly timestamps: boolean;
  /** Offer window scaling (RFC 7323 2); without it no window is above 65,535 bytes. */
  readonly windowScaling: boolean;
  /** MSS to advertise; 0: what the link's MTU allows. */
  readonly mss: number;
  /** TTL or hop limit, 1 to 255. */
  readonly hopLimit: number;
  /** Offer explicit congestion notification (RFC 3168). */
  readonly ecn: boolean;
  /** Diffserv field of every packet in its upper six bits. */
  readonly trafficClass: number;
}

/** Bytes that a connection may hold in each direction at first; `autotune.ts` raises the limits. */
export const INITIAL_BUFFER: number = 256 * 1024;

const COMMON = {
  ackStallMs: 60_000,
  maxUnacked: 1024 * 1024,
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

/** The two profiles: for a device on this host, and RFC 9293 in full. */
export const PROFILES: { readonly local: TcpConfig; readonly internet: TcpConfig } = {
  local: Object.freeze({
    ...COMMON,
    acknowledge: "on-read",
    close: "reset",
    finish: "reset",
    retransmitSynAck: false,
    congestion: "unacked",
    delayedAckMs: 0,
    // A device's round trip is short: more than this only leaves the processor's cache.
    sendBuffer: 512 * 1024,
    receiveBuffer: 512 * 1024,
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
    sendBuffer: 4 * 1024 * 1024,
    receiveBuffer: 4 * 1024 * 1024,
    timestamps: true,
    ecn: true,
  }),
};
