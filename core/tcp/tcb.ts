/**
 * The record of one connection (RFC 9293 3.3.1, Transmission Control Block).
 *
 * @module
 */
import { ReceiveRing } from "../buffers/receive_ring.ts";
import type { RingPool } from "../buffers/ring_pool.ts";
import { SendRing } from "../buffers/send_ring.ts";
import type { IpAddress } from "../wire/address.ts";
import { addressSum } from "../wire/checksum.ts";
import { ipHeaderLength } from "../wire/ip.ts";
import { TIMESTAMPS_LENGTH } from "../wire/tcp_options.ts";
import { INITIAL_BUFFER, type TcpConfig } from "./config.ts";
import { createCongestionControl } from "./congestion/algorithms.ts";
import type { CongestionControl } from "./congestion/control.ts";
import { RateSampler } from "./congestion/rate_sampler.ts";
import { RttEstimator } from "./recovery/rtt.ts";
import type { DeliveryVisitor, Scoreboard, SentRange } from "./recovery/scoreboard.ts";
import { EMPTY_SCOREBOARD, type ScoreboardPool } from "./recovery/scoreboard_pool.ts";
import type { EndReason, TcpState } from "./state.ts";

/** What has happened to a connection since its owner was told last. */
export const TCB_EVENT: {
  /** ESTABLISHED was reached. */
  readonly OPENED: 1;
  /** There is something to read, or the peer's FIN. */
  readonly READABLE: 2;
  /** There is room to write. */
  readonly WRITABLE: 4;
  /** Nothing more will happen; `tcb.error` says whether it ended well. */
  readonly ENDED: 8;
} = { OPENED: 1, READABLE: 2, WRITABLE: 4, ENDED: 8 };

/** What connections of one stack share. */
export interface TcpEnvironment {
  readonly pool: RingPool;
  readonly mtu: number;
  /** Bytes of a super-packet with its headers, 0: none. */
  readonly maxSuperPacket: number;
  readonly checksumOffload: boolean;
  readonly scoreboards: ScoreboardPool;
}

/** RFC 9293 3.7.1: what a peer takes that has not said. */
const DEFAULT_MSS_V4 = 536;
const DEFAULT_MSS_V6 = 1220;
/** The least that a peer's MSS option is taken for: a smaller one would be an attack on this host. */
const LEAST_MSS = 64;

/**
 * One connection; what is so or not so of it is in its flags, and what few connections need in its
 * occasions. Sequence numbers are signed 32-bit integers, times milliseconds.
 */
export class Tcb extends RttEstimator {
  readonly environment: TcpEnvironment;
  readonly local: IpAddress;
  readonly remote: IpAddress;
  /** The local one, and behind it the remote one. */
  readonly #ports: number;
  state: TcpState = "CLOSED";
  error: EndReason | undefined = undefined;

  // ------------------------------------------------------------ send sequence space
  iss = 0;
  sndUna = 0;
  sndNxt = 0;
  sndWnd = 0;
  sndWl1 = 0;
  sndWl2 = 0;
  maxSndWnd = 0;
  /** The peer's MSS, and behind it the path's MTU. */
  #sizes: number;
  /** Text in a full segment, options counted out (RFC 9293 3.7.1). */
  sendMss = 0;
  readonly send: SendRing;

  // ------------------------------------------------------------ receive sequence space
  irs = 0;
  rcvNxt = 0;
  /** The highest acknowledgement sent. */
  rcvAcked = 0;
  /** The right edge of the window as it was offered, before rounding; it never moves left. */
  offeredEdge = 0;
  /** The farthest edge that a window field has named: what lies before it is taken. */
  rcvEdge = 0;
  /** Bytes of window to offer to a reader that keeps up; grows up to `receiveMost`. */
  receiveLimit: number;
  /** Where the growth of the receive buffer was thought about last. */
  readMark = 0;
  readonly receive: ReceiveRing;
  /** Bytes before this have been dealt with, for `on-processed`. */
  processedSeq = 0;
  /** Bytes before this are acknowledged although nobody read them. */
  ackFloor = 0;

  // ------------------------------------------------------------ options in use
  tsRecent = 0;
  /** What makes this connection's timestamps differ from others' (RFC 7323 5.4). */
  tsOffset = 0;

  // ------------------------------------------------------------ what is to be sent
  /** Text received since the last acknowledgement was sent. */
  unackedText = 0;
  /** The end of what the application has written last: where PSH goes. */
  pushSeq = 0;

  // ------------------------------------------------------------ loss recovery
  readonly congestion: CongestionControl;
  /** What is outstanding; {@link EMPTY_SCOREBOARD} while nothing is. */
  scoreboard: Scoreboard = EMPTY_SCOREBOARD;

  // ------------------------------------------------------------ what every packet has in common
  /** The addresses' part of the pseudo-header's sum. */
  readonly pseudoSum: number;

  // ------------------------------------------------------------ counters
  bytesIn = 0;
  bytesOut = 0;
  segmentsIn = 0;
  segmentsOut = 0;

  // ------------------------------------------------------------ places in the stack's tables
  /** Whose socket this is; the core never looks at it. */
  handle: unknown = undefined;
  /** The listener that opened it; the core's tables look at it. */
  listener: unknown = undefined;
  hash = 0;
  hashNext: Tcb | undefined = undefined;
  heapIndex = -1;

  constructor(
    config: TcpConfig,
    environment: TcpEnvironment,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ) {
    super(config);
    this.environment = environment;
    this.local = local;
    this.remote = remote;
    this.#ports = (localPort << 16) | remotePort;
    this.#sizes = ((remote.isV4 ? DEFAULT_MSS_V4 : DEFAULT_MSS_V6) << 16) | environment.mtu;
    this.receiveLimit = Math.min(config.receiveBuffer, INITIAL_BUFFER);
    this.noDelay = config.noDelay;
    this.keepAlive = config.keepAlive;
    this.pseudoSum = addressSum(local) + addressSum(remote);
    this.send = new SendRing(environment.pool, Math.min(config.sendBuffer, INITIAL_BUFFER));
    this.receive = new ReceiveRing(environment.pool, 0);
    this.sendMss = this.fullSegment();
    this.congestion = createCongestionControl(this.sendMss, config);
    if (this.congestion.samplesRate) this.rate = new RateSampler();
  }

  get localPort(): number {
    return this.#ports >>> 16;
  }

  get remotePort(): number {
    return this.#ports & 0xffff;
  }

  /** MSS that the peer announced, or the default. */
  get peerMss(): number {
    return this.#sizes >>> 16;
  }
  set peerMss(bytes: number) {
    this.#sizes = (bytes << 16) | this.pathMtu;
  }

  /** Largest IP packet on the path. */
  get pathMtu(): number {
    return this.#sizes & 0xffff;
  }
  set pathMtu(bytes: number) {
    this.#sizes = (this.#sizes & ~0xffff) | bytes;
  }

  /** MSS to advertise (RFC 9293 3.7.1): what this host can receive. */
  get localMss(): number {
    const most = this.environment.mtu - ipHeaderLength(this.local) - 20;
    return this.config.mss > 0 ? Math.min(this.config.mss, most) : Math.min(most, 65495);
  }

  /** The window that a reader may grow to: without scaling the field ends it (RFC 7323 2.2). */
  get receiveMost(): number {
    const { receiveBuffer } = this.config;
    return this.windowScaling ? receiveBuffer : Math.min(receiveBuffer, 0xffff);
  }

  /** Works the segment size out anew from the peer's MSS, the path and the options. */
  updateSendMss(): void {
    this.sendMss = this.fullSegment();
    this.congestion.setMss(this.sendMss);
  }

  /** RFC 9293 3.7.1: min(peer's MSS, path MTU - headers) - options. */
  fullSegment(): number {
    const path = this.pathMtu - ipHeaderLength(this.local) - 20;
    const options = this.timestamps ? TIMESTAMPS_LENGTH : 0;
    return Math.min(Math.max(this.peerMss, LEAST_MSS), path) - options;
  }

  /** The peer's MSS option; 0 counts as absent. */
  takePeerMss(mss: number): void {
    if (mss > 0) this.peerMss = mss;
    this.updateSendMss();
  }

  /** Sequence number of the first byte in the send ring. */
  get sendStart(): number {
    // The SYN occupies the number before the first byte (RFC 9293 3.4).
    return this.synAcked ? this.sndUna : (this.iss + 1) | 0;
  }

  /** Bytes written and never sent. */
  get unsent(): number {
    if (this.finSent) return 0;
    return this.send.length - ((this.sndNxt - this.sendStart) | 0);
  }

  /** All that was written, and our FIN, are acknowledged. */
  get allAcknowledged(): boolean {
    return this.finSent && this.sndUna === this.sndNxt;
  }

  /** `start` to `end` has been sent for the first time. */
  sent(start: number, end: number, now: number): SentRange {
    if (this.scoreboard === EMPTY_SCOREBOARD) this.scoreboard = this.environment.scoreboards.take();
    return this.scoreboard.sent(start, end, now);
  }

  /** Everything before `ack` has arrived. */
  acknowledged(ack: number, visitor: DeliveryVisitor): void {
    this.scoreboard.acknowledge(ack, visitor);
    if (this.scoreboard.isEmpty) this.forgetSent();
  }

  /** Nothing of what was sent matters any more. */
  forgetSent(): void {
    const { scoreboard } = this;
    if (scoreboard === EMPTY_SCOREBOARD) return;
    this.scoreboard = EMPTY_SCOREBOARD;
    scoreboard.clear();
    this.environment.scoreboards.give(scoreboard);
  }

  /** Tells the owner. */
  notify(event: number): void {
    this.events |= event;
  }
}
