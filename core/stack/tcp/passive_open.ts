/**
 * Segments to a listener (RFC 9293 3.10.7.2): a SYN opens a half-open connection or is answered
 * with a SYN cookie, and the ACK of a valid cookie opens the connection.
 *
 * @module
 */
import { segmentArrives } from "../../tcp/arrive.ts";
import { acceptSyn, holdSyn, openPassive } from "../../tcp/arrive/listen.ts";
import { endConnection } from "../../tcp/close_connection.ts";
import { type KeyedHash, sequenceAbove } from "../../tcp/isn.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { abort } from "../../tcp/user_calls.ts";
import type { IpAddress } from "../../wire/address.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import type { IpHeader } from "../../wire/ip.ts";
import { FLAG, type Segment } from "../../wire/tcp.ts";
import { destinationOf, sourceOf } from "../replies.ts";
import type { Peers } from "../peers/peers.ts";
import type { Stats } from "../stats.ts";
import type { TransmitQueue } from "../transmit_queue.ts";
import type { Connections } from "./connections.ts";
import type { Listener } from "./listener.ts";
import { SynCookies } from "./syn_cookies.ts";

/** Opens connections for the listeners of a stack. */
export class PassiveOpen {
  readonly #connections: Connections;
  readonly #transmitQueue: TransmitQueue;
  readonly #stats: Stats;
  readonly #cookies: SynCookies;
  readonly #peers: Peers | undefined;
  /** Addresses of the previous connection, shared by the next if they are equal. */
  #lastLocal: IpAddress | undefined = undefined;
  #lastRemote: IpAddress | undefined = undefined;

  constructor(
    connections: Connections,
    transmitQueue: TransmitQueue,
    stats: Stats,
    hash: KeyedHash,
    sharesKey: boolean,
    peers: Peers | undefined,
  ) {
    this.#connections = connections;
    this.#transmitQueue = transmitQueue;
    this.#stats = stats;
    this.#cookies = new SynCookies(hash, sharesKey, peers);
    this.#peers = peers;
  }

  /** Handles a segment other than RST, from a unicast source. */
  receive(
    listener: Listener,
    ip: IpHeader,
    segment: Segment,
    now: number,
  ): DropReason | undefined {
    if (segment.has(FLAG.ACK)) {
      if (!segment.has(FLAG.SYN) && this.#openFromCookie(listener, ip, segment, now)) {
        return undefined;
      }
      this.#transmitQueue.reset(ip, segment);
      return "tcp-no-connection";
    }
    // SYN with FIN: no host opens a connection like this, but it may pass packet filters that look
    // for SYN.
    if (!segment.has(FLAG.SYN) || segment.has(FLAG.FIN)) return "tcp-flags-listen";
    if (this.#connections.isFull) return "tcp-connections";
    if (!this.#makeRoom(listener, ip)) {
      return this.#answerWithCookie(listener, ip, segment, now);
    }
    this.#open(listener, ip, segment, now);
    return undefined;
  }

  /**
   * Opens a connection in place of `old`, which is in TIME-WAIT (RFC 9293 3.6.1, MAY-2). The new
   * ISN must be above the sequence numbers of `old`, which a SYN cookie cannot ensure, so the SYN
   * is dropped if the backlog is full.
   */
  reopen(
    listener: Listener,
    old: Tcb,
    ip: IpHeader,
    segment: Segment,
    now: number,
  ): DropReason | undefined {
    if (!this.#makeRoom(listener, ip)) return "tcp-backlog";
    this.#connections.apply(endConnection, old, undefined);
    this.#open(listener, ip, segment, now, old.sndNxt);
    return undefined;
  }

  #open(listener: Listener, ip: IpHeader, segment: Segment, now: number, above?: number): void {
    const connections = this.#connections;
    const tcb = this.#create(ip, segment);
    connections.enter(tcb);
    tcb.listener = listener;
    const iss = connections.initialSequence(tcb, now);
    openPassive(tcb, segment, above === undefined ? iss : sequenceAbove(above, iss), now);
    connections.eventLogs.connectionOpens(tcb, segment, now);
    listener.enter(tcb);
    connections.apply(listener.decides ? holdSyn : acceptSyn, tcb);
    if (!listener.decides) return;
    listener.ask(tcb);
    connections.notify(listener);
  }

  /**
   * Makes room for a SYN where cookies cannot be used, by evicting a half-open connection (RFC 4987
   * 3.4): the oldest of the same source if that has reached its limit; otherwise, if the backlog is
   * full, the oldest of the source with the most, or the oldest of all if no source has many.
   * Returns false if the backlog is full of established connections.
   */
  #makeRoom(listener: Listener, ip: IpHeader): boolean {
    const { sources } = listener;
    if (sources === undefined) return !listener.isFull;
    const own = sources.oldestBeyondLimit(this.#remoteOf(ip));
    const evicted = own ??
      (listener.isFull ? sources.oldestOfLargest() ?? oldestOf(listener) : undefined);
    if (evicted === undefined) return !listener.isFull;
    this.#stats.halfOpenEvicted++;
    this.#connections.apply(endConnection, evicted, "TIMED_OUT");
    return !listener.isFull;
  }

  /** RFC 4987 3.6: the backlog is full, so the state is kept in the SYN,ACK. */
  #answerWithCookie(
    listener: Listener,
    ip: IpHeader,
    segment: Segment,
    now: number,
  ): DropReason | undefined {
    // A decision cannot be deferred until the ACK arrives.
    if (listener.decides || !this.#hasRoom(listener, ip)) return "tcp-backlog";
    this.#stats.synCookiesSent++;
    listener.hasSentCookies = true;
    this.#transmitQueue.push(this.#cookies.answer(this.#create(ip, segment), segment, now));
    return undefined;
  }

  #openFromCookie(listener: Listener, ip: IpHeader, segment: Segment, now: number): boolean {
    // A dead instance may have sent the cookie; this instance does not know whether, and when, it did.
    const sender = this.#peers?.deadSender(ip, segment, now);
    if (listener.decides && (!listener.hasSentCookies || sender !== undefined)) return false;
    if (sender === undefined && !this.#cookies.isInUse(now)) return false;
    const tcb = this.#create(ip, segment);
    // TSval must not go back (RFC 7323 5.3), so the connection keeps the mark of the cookie's sender.
    if (sender !== undefined) tcb.tsOffset += this.#peers!.markDifference(sender);
    if (!this.#cookies.restore(tcb, segment, now)) return false;
    // With a full accept queue the ACK is dropped; the peer retransmits its data, and the ACK with
    // it.
    if (!this.#hasRoom(listener, ip) || this.#connections.isFull) return true;
    // The ACK of a cookie cannot come from a forged address, while a SYN can.
    if (listener.isQueueFull) this.#evictReady(listener, listener.evictableFor(tcb.remote)!);
    this.#stats.synCookiesReturned++;
    this.#connections.enter(tcb);
    tcb.listener = listener;
    listener.enter(tcb);
    this.#connections.eventLogs.connectionOpens(tcb, undefined, now);
    this.#connections.apply(segmentArrives, tcb, segment, now);
    return true;
  }

  /** Whether the sender's connection may wait to be accepted, evicting another if need be. */
  #hasRoom(listener: Listener, ip: IpHeader): boolean {
    return !listener.isQueueFull || listener.evictableFor(this.#remoteOf(ip)) !== undefined;
  }

  #evictReady(listener: Listener, tcb: Tcb): void {
    this.#stats.readyEvicted++;
    listener.removeReady(tcb);
    tcb.listener = undefined;
    this.#connections.apply(abort, tcb, "CONNECTION_ABORTED");
  }

  #create(ip: IpHeader, { sourcePort, destinationPort }: Segment): Tcb {
    const local = this.#localOf(ip);
    return this.#connections.create(local, destinationPort, this.#remoteOf(ip), sourcePort);
  }

  /** Shares one object among consecutive connections to the same address. */
  #localOf(ip: IpHeader): IpAddress {
    const last = this.#lastLocal;
    const isSame = last !== undefined &&
      last.w3 === ip.d3 && last.w2 === ip.d2 && last.w1 === ip.d1 && last.w0 === ip.d0;
    return isSame ? last : this.#lastLocal = destinationOf(ip);
  }

  /** Shares one object among consecutive connections from the same peer, such as a proxy. */
  #remoteOf(ip: IpHeader): IpAddress {
    const last = this.#lastRemote;
    const isSame = last !== undefined &&
      last.w3 === ip.s3 && last.w2 === ip.s2 && last.w1 === ip.s1 && last.w0 === ip.s0;
    return isSame ? last : this.#lastRemote = sourceOf(ip);
  }
}

function oldestOf({ halfOpen }: Listener): Tcb | undefined {
  const [oldest] = halfOpen;
  return oldest;
}
