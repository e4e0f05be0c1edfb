/**
 * The transmission control block: the record of one connection (RFC 9293 3.3.1).
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
import type { ForcedSegment } from "./forced_segment.ts";
import { NO_PROBES, type Probes } from "./probes.ts";
import { type LossRecovery, NO_LOSS } from "./recovery/loss_state.ts";
import type { DeliveryVisitor, Scoreboard, SentRange } from "./recovery/scoreboard.ts";
import { EMPTY_SCOREBOARD, type ScoreboardPool } from "./recovery/scoreboard_pool.ts";
import { IN_ORDER, type Reordering } from "./reordering.ts";
import type { EndReason, TcpState } from "./state.ts";
import type { TcpCounts } from "./tcp_counts.ts";
import {
  FIN_SENT,
  KEEP_ALIVE,
  NO_DELAY,
  SYN_ACKED,
  TIMESTAMPS,
  WINDOW_SCALING,
} from "./tcb_flags.ts";
import { earliestTimer } from "./timers/timers.ts";
import { DEFAULT_OPTIONS, type UserOptions } from "./user_options.ts";

/** Events for the connection's owner. */
export const TCB_EVENT: {
  /** ESTABLISHED was reached. */
  readonly OPENED: 1;
  /** There is text to read, or the peer's FIN. */
  readonly READABLE: 2;
  /** There is room in the send buffer. */
  readonly WRITABLE: 4;
  /** The connection has ended; `tcb.error` is the reason, if it is an error. */
  readonly ENDED: 8;
} = { OPENED: 1, READABLE: 2, WRITABLE: 4, ENDED: 8 };

/** Shared by the connections of one stack. */
export interface TcpEnvironment {
  readonly pool: RingPool;
  readonly mtu: number;
  /** Maximum size of a super-packet with its headers; 0: none. */
  readonly maxSuperPacket: number;
  readonly checksumOffload: boolean;
  readonly scoreboards: ScoreboardPool;
  readonly counts: TcpCounts;
}

/** RFC 9293 3.7.1: the MSS of a peer that sends no option. */
const DEFAULT_MSS_V4 = 536;
const DEFAULT_MSS_V6 = 1220;
/** A smaller MSS option is treated as this: it could only be an attack. */
const MIN_MSS = 64;

/**
 * One connection. Sequence numbers are signed 32-bit integers, times are in milliseconds. Unless
 * stated otherwise, a time is 0 until the event has happened. Times rounded by `wholeMs()` have
 * no fraction.
 */
export class Tcb {
  readonly config: TcpConfig;
  readonly environment: TcpEnvironment;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  state: TcpState = "CLOSED";
  /** Bits of `tcb_flags.ts`. */
  flags = 0;
  /** Bits of {@link TCB_EVENT} that the owner has not seen. */
  events = 0;

  // ------------------------------------------------------------ send sequence space (RFC 9293 3.3.1)
  iss = 0;
  sndUna = 0;
  sndNxt = 0;
  sndWnd = 0;
  sndWl1 = 0;
  sndWl2 = 0;
  /** Largest SND.WND so far. */
  maxSndWnd = 0;
  /** Snd.Wind.Shift (RFC 7323 2.2). */
  sndWndShift = 0;
  /** Eff.snd.MSS: text in a full segment, without options (RFC 9293 3.7.1). */
  sendMss = 0;
  /** The peer's MSS option, or the default. */
  peerMss: number;
  /** Size of the largest IP packet for the path. */
  pathMtu: number;
  /** Sequence number after the last write: where PSH is set. */
  pushSeq = 0;
  readonly send: SendRing;

  // ------------------------------------------------------------ receive sequence space (RFC 9293 3.3.1)
  irs = 0;
  rcvNxt = 0;
  /** RCV.UP: end of the peer's urgent data, if `URGENT` is set (RFC 9293 3.8.5). */
  rcvUp = 0;
  /** Highest acknowledgement number sent. */
  rcvAcked = 0;
  /** Right edge of the offered window before rounding; never moves left. */
  offeredEdge = 0;
  /** Rightmost edge that was advertised in a window field; text before it is accepted. */
  rcvEdge = 0;
  /** Rcv.Wind.Shift (RFC 7323 2.2). */
  rcvWndShift = 0;
  /** Size of the window for a reader that keeps up; grows up to `receiveMost`. */
  receiveLimit: number;
  readonly receive: ReceiveRing;
  /** For `on-processed`: the application has processed the bytes before this. */
  processedSeq = 0;
  /** Bytes before this are acknowledged although the application has not read them. */
  ackFloor = 0;
  /** Text received since the last acknowledgement was sent. */
  unackedText = 0;
  /** `receive.readSeq` when growth of the receive buffer was last considered. */
  readMark = 0;

  // ------------------------------------------------------------ timestamps (RFC 7323)
  /** TS.Recent, and when it was received, rounded by `wholeMs()` (RFC 7323 5.5). */
  tsRecent = 0;
  tsRecentAt = 0;
  /** The timestamp offset: a keyed hash of the addresses and ports (RFC 7323 5.4). */
  tsOffset = 0;

  // ------------------------------------------------------------ round-trip time (RFC 6298)
  /** SRTT in whole microseconds, 0 before the first sample; so are the next two. */
  srttUs = 0;
  rttvarUs = 0;
  /** Smallest sample (RFC 8985 6.2, step 1). */
  minRttUs = 0;

  // ------------------------------------------------------------ congestion control and loss recovery
  readonly congestion: CongestionControl;
  /** The ranges in flight; {@link EMPTY_SCOREBOARD} while there are none. */
  scoreboard: Scoreboard = EMPTY_SCOREBOARD;
  /** SND.NXT when cwnd was last full; `undefined` once that is acknowledged (RFC 9438 5.8). */
  windowFullAt: number | undefined = undefined;
  /** For algorithms that use delivery rate samples. */
  readonly rate: RateSampler | undefined;
  /** Time until which pacing holds back the next segment. */
  pacedUntil = 0;
  /** Written by `forced_segment.ts` alone. */
  readonly forced: ForcedSegment = "none";

  // ------------------------------------------------------------ rarely used, shared until they change
  loss: Readonly<LossRecovery> = NO_LOSS;
  reordering: Readonly<Reordering> = IN_ORDER;
  probes: Readonly<Probes> = NO_PROBES;
  userOptions: Readonly<UserOptions> = DEFAULT_OPTIONS;

  // ------------------------------------------------------------ timers, and times of past events
  /** Written by `timers.ts` alone. */
  readonly deadlines: number[] | undefined = undefined;
  readonly keepAliveAt: number = 0;
  // The next five are rounded by `wholeMs()`.
  /** When the last acceptable segment arrived. */
  lastReceivedAt = 0;
  /** When a segment was sent while nothing was outstanding. */
  outstandingSince = 0;
  /** When SND.UNA last advanced, or text was written to an empty buffer. */
  progressAt = 0;
  lastSentAt = 0;
  lastReadAt = 0;
  /** When growth of the receive buffer was last considered. */
  readMarkAt = 0;
  /** When the last challenge ACK was sent (RFC 5961 7); `undefined`: never. */
  challengedAt: number | undefined = undefined;

  // ------------------------------------------------------------ counters
  bytesIn = 0;
  bytesOut = 0;
  segmentsIn = 0;
  segmentsOut = 0;
  /** IPv4 identification of the last packet; atomic datagrams may use any value (RFC 6864 4.1). */
  packetId = 0;
  /** The addresses' part of the checksum of the pseudo-header. */
  readonly pseudoSum: number;

  // ------------------------------------------------------------ owner, and the stack's tables
  /** Why the connection ended. */
  error: EndReason | undefined = undefined;
  /**
   * A soft error reported by ICMP, which becomes the reason if the connection times out (RFC 9293
   * 3.9.2.2).
   */
  softError: EndReason | undefined = undefined;
  /** The owner's object; opaque to the core. */
  handle: unknown = undefined;
  /** The listener that opened it; opaque to `core/tcp`. */
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
    this.config = config;
    this.environment = environment;
    this.local = local;
    this.localPort = localPort;
    this.remote = remote;
    this.remotePort = remotePort;
    this.peerMss = remote.isV4 ? DEFAULT_MSS_V4 : DEFAULT_MSS_V6;
    this.pathMtu = environment.mtu;
    this.pseudoSum = addressSum(local) + addressSum(remote);
    this.receiveLimit = Math.min(config.receiveBuffer, INITIAL_BUFFER);
    this.set(NO_DELAY, config.noDelay);
    this.set(KEEP_ALIVE, config.keepAlive);
    this.send = new SendRing(environment.pool, Math.min(config.sendBuffer, INITIAL_BUFFER));
    this.receive = new ReceiveRing(environment.pool, 0);
    this.sendMss = this.fullSegment();
    this.congestion = createCongestionControl(this.sendMss, config);
    this.rate = this.congestion.samplesRate ? new RateSampler() : undefined;
  }

  /** For the heap of deadlines: the earliest timer, `Infinity` if none is running. */
  get earliestTimer(): number {
    return earliestTimer(this);
  }

  /** The MSS to announce (RFC 9293 3.7.1). */
  get localMss(): number {
    const most = this.environment.mtu - ipHeaderLength(this.local) - 20;
    return this.config.mss > 0 ? Math.min(this.config.mss, most) : Math.min(most, 65495);
  }

  /** Maximum of `receiveLimit`: without scaling, what the window field can hold (RFC 7323 2.2). */
  get receiveMost(): number {
    const { receiveBuffer } = this.config;
    return this.has(WINDOW_SCALING) ? receiveBuffer : Math.min(receiveBuffer, 0xffff);
  }

  /** Recomputes `sendMss` from the peer's MSS, the path MTU and the options. */
  updateSendMss(): void {
    this.sendMss = this.fullSegment();
    this.congestion.setMss(this.sendMss);
  }

  /** RFC 9293 3.7.1: min(peer's MSS, path MTU - headers) - options. */
  fullSegment(): number {
    const path = this.pathMtu - ipHeaderLength(this.local) - 20;
    const options = this.has(TIMESTAMPS) ? TIMESTAMPS_LENGTH : 0;
    return Math.min(Math.max(this.peerMss, MIN_MSS), path) - options;
  }

  /** Processes the peer's MSS option; 0 is treated as absent. */
  takePeerMss(mss: number): void {
    if (mss > 0) this.peerMss = mss;
    this.updateSendMss();
  }

  /** Sequence number of the first byte in the send ring. */
  get sendStart(): number {
    // The SYN has the sequence number before the first byte (RFC 9293 3.4).
    return this.has(SYN_ACKED) ? this.sndUna : (this.iss + 1) | 0;
  }

  /** Bytes that were written and not sent yet. */
  get unsent(): number {
    if (this.has(FIN_SENT)) return 0;
    return this.send.length - ((this.sndNxt - this.sendStart) | 0);
  }

  /** Everything including our FIN is acknowledged. */
  get allAcknowledged(): boolean {
    return this.has(FIN_SENT) && this.sndUna === this.sndNxt;
  }

  /** Records that `start` to `end` was sent for the first time. */
  sent(start: number, end: number, now: number): SentRange {
    if (this.scoreboard === EMPTY_SCOREBOARD) this.scoreboard = this.environment.scoreboards.take();
    return this.scoreboard.sent(start, end, now);
  }

  /** Removes what `ack` acknowledges; `visitor` sees each range that was not sacked. */
  acknowledged(ack: number, visitor: DeliveryVisitor): void {
    this.scoreboard.acknowledge(ack, visitor);
    if (this.scoreboard.isEmpty) this.forgetSent();
  }

  /** Forgets the ranges in flight. */
  forgetSent(): void {
    const { scoreboard } = this;
    if (scoreboard === EMPTY_SCOREBOARD) return;
    this.scoreboard = EMPTY_SCOREBOARD;
    scoreboard.clear();
    this.environment.scoreboards.give(scoreboard);
  }

  /** Whether one of the flags is set. */
  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  set(flag: number, on: boolean = true): void {
    this.flags = on ? this.flags | flag : this.flags & ~flag;
  }

  clear(flag: number): void {
    this.flags &= ~flag;
  }

  /** Replaces records that hold only initial values by the shared ones. */
  releaseUnusedRecords(): void {
    if (isUnchanged(this.loss, NO_LOSS)) this.loss = NO_LOSS;
    if (isUnchanged(this.reordering, IN_ORDER)) this.reordering = IN_ORDER;
    if (isUnchanged(this.probes, NO_PROBES)) this.probes = NO_PROBES;
    if (isUnchanged(this.userOptions, DEFAULT_OPTIONS)) this.userOptions = DEFAULT_OPTIONS;
  }

  /** Queues an event for the owner. */
  notify(event: number): void {
    this.events |= event;
  }
}

function isUnchanged<Fields extends object>(record: Fields, initial: Fields): boolean {
  return (Object.keys(initial) as (keyof Fields)[]).every((key) => record[key] === initial[key]);
}
