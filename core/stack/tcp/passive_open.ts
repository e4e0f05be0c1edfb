/**
 * Segments to a listener (RFC 9293 3.10.7.2): a SYN opens a connection, or is answered with a
 * cookie; the ACK of a cookie opens one after all.
 *
 * @module
 */
import { segmentArrives } from "../../tcp/arrive.ts";
import { acceptSyn, openPassive } from "../../tcp/arrive/listen.ts";
import { endConnection } from "../../tcp/close_connection.ts";
import { type KeyedHash, sequenceAbove } from "../../tcp/isn.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import type { IpAddress } from "../../wire/address.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import type { IpHeader } from "../../wire/ip.ts";
import { FLAG, type Segment } from "../../wire/tcp.ts";
import { destinationOf, sourceOf } from "../replies.ts";
import type { Stats } from "../stats.ts";
import type { TransmitQueue } from "../transmit_queue.ts";
import type { Connections } from "./connections.ts";
import type { Listener } from "./listener.ts";
import { SynCookies } from "./syn_cookies.ts";

/** Opens connections for the listeners of a stack. */
export class PassiveOpen {
  readonly #connections: Connections;
  readonly #outbox: TransmitQueue;
  readonly #stats: Stats;
  readonly #cookies: SynCookies;
  /** Where the connection before came to. */
  #lastLocal: IpAddress | undefined = undefined;
  #lastRemote: IpAddress | undefined = undefined;

  constructor(connections: Connections, outbox: TransmitQueue, stats: Stats, hash: KeyedHash) {
    this.#connections = connections;
    this.#outbox = outbox;
    this.#stats = stats;
    this.#cookies = new SynCookies(hash);
  }

  /** A segment that is no RST, from a host of its own. */
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
      this.#outbox.reset(ip, segment);
      return "tcp-no-connection";
    }
    // A FIN as well: no host opens a connection so, but it passes packet filters that look for SYNs.
    if (!segment.has(FLAG.SYN) || segment.has(FLAG.FIN)) return "tcp-flags-listen";
    if (this.#connections.isFull) return "tcp-connections";
    if (!this.#makeRoom(listener, ip)) {
      return this.#answerWithCookie(listener, ip, segment, now);
    }
    this.#open(listener, ip, segment, now);
    return undefined;
  }

  /**
   * A SYN that takes the place of `old`, which is in TIME-WAIT (RFC 9293 3.6.1, MAY-2). Its number
   * lies above what that has sent, which no cookie's can: it has to come again where all half-open
   * connections are taken.
   */
  reopen(
    listener: Listener,
    old: Tcb,
    ip: IpHeader,
    segment: Segment,
    now: number,
  ): DropReason | undefined {
    if (!this.#makeRoom(listener, ip)) return "tcp-backlog";
    endConnection(old, undefined);
    this.#connections.settle(old);
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
    listener.enter(tcb);
    if (listener.decides) {
      tcb.synDecision = "pending";
      listener.ask(tcb);
      connections.notify(listener);
    } else {
      acceptSyn(tcb);
    }
    connections.settle(tcb);
  }

  /**
   * RFC 4987 3.4: where cookies cannot help, the oldest makes room, answered or not: of the source that
   * comes where that has its share, else of the one that has the most, or of all where none has many:
   * so none has to wait for what another has begun. False: the backlog is full of established ones.
   */
  #makeRoom(listener: Listener, ip: IpHeader): boolean {
    const { sources } = listener;
    if (sources === undefined) return !listener.isFull;
    const own = sources.oldestBeyondLimit(this.#remoteOf(ip));
    const evicted = own ??
      (listener.isFull ? sources.oldestOfLargest() ?? oldestOf(listener) : undefined);
    if (evicted === undefined) return !listener.isFull;
    this.#stats.halfOpenEvicted++;
    endConnection(evicted, "TIMED_OUT");
    this.#connections.settle(evicted);
    return !listener.isFull;
  }

  /** RFC 4987 3.6: half-open connections are all taken; the peer brings back what is needed. */
  #answerWithCookie(
    listener: Listener,
    ip: IpHeader,
    segment: Segment,
    now: number,
  ): DropReason | undefined {
    // A decision cannot be put off until the ACK comes.
    if (listener.decides || listener.ready.length >= listener.backlog) return "tcp-backlog";
    this.#stats.synCookiesSent++;
    this.#outbox.push(this.#cookies.answer(this.#create(ip, segment), segment, now));
    return undefined;
  }

  #openFromCookie(listener: Listener, ip: IpHeader, segment: Segment, now: number): boolean {
    if (listener.decides || !this.#cookies.isInUse(now)) return false;
    const tcb = this.#create(ip, segment);
    if (!this.#cookies.restore(tcb, segment, now)) return false;
    // A full queue drops the ACK: the peer sends its data, and with it the ACK, again.
    if (listener.ready.length >= listener.backlog || this.#connections.isFull) return true;
    this.#stats.synCookiesReturned++;
    this.#connections.enter(tcb);
    tcb.listener = listener;
    listener.enter(tcb);
    segmentArrives(tcb, segment, now);
    this.#connections.settle(tcb);
    return true;
  }

  #create(ip: IpHeader, { sourcePort, destinationPort }: Segment): Tcb {
    const local = this.#localOf(ip);
    return this.#connections.create(local, destinationPort, this.#remoteOf(ip), sourcePort);
  }

  /** One object for the connections to one address: most stacks have few. */
  #localOf(ip: IpHeader): IpAddress {
    const last = this.#lastLocal;
    const isSame = last !== undefined &&
      last.w3 === ip.d3 && last.w2 === ip.d2 && last.w1 === ip.d1 && last.w0 === ip.d0;
    return isSame ? last : this.#lastLocal = destinationOf(ip);
  }

  /** One object for the connections that one peer opens in a row: the host itself, a proxy. */
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
