/**
 * Instances on several machines that serve the same addresses. A router sends the segments of a connection to any of
 * the instances. An instance without the connection hands them to the instance that has it, which answers the client
 * directly.
 *
 * No instance keeps state about the connections of others, except for those that have moved
 * (`moved_between_instances.ts`). The peer's TSecr identifies the instance (`instance_mark.ts`). A connection without
 * timestamps belongs to the instance that rendezvous hashing chooses, to which its SYN is handed too (`membership.ts`).
 *
 * @module
 */
import { Queue } from "../../buffers/queue.ts";
import type { KeyedHash } from "../../tcp/isn.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import type { IpAddress } from "../../wire/address.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { type IpHeader, PROTOCOL } from "../../wire/ip.ts";
import { FLAG, type Segment } from "../../wire/tcp.ts";
import type { QuotedPacket } from "../icmp/quoted.ts";
import { destinationOf, sourceOf } from "../replies.ts";
import type { AnnouncedConnection } from "./announcement.ts";
import { TokenBucket } from "../token_bucket.ts";
import { instanceOf, markDifference, markOffset, NO_MARK } from "./instance_mark.ts";
import { DEAD_MS, type Membership } from "./membership.ts";
import {
  MAX_HOPS,
  MESSAGE_HEADER,
  Messages,
  type PeerMessage,
  type ReceivedMessage,
} from "./message.ts";
import type { PeerGroup } from "./peer_group.ts";
import { divideSuperPacket } from "./super_packet.ts";
import { MovedBetweenInstances } from "./moved_between_instances.ts";

/** Maximum number of packets per second handed to others; further ones are dropped. */
export const HANDED_PER_SECOND = 20_000;
/** Maximum number of RSTs and ICMP errors without a mark per second; each is handed to all others. */
export const BROADCAST_PER_SECOND = 200;
/** Interval at which this instance reports its state to each other instance, in milliseconds. */
const REPORT_MS = 250;
/** Minimum interval between announcements of connections that have moved, in milliseconds. */
const ANNOUNCE_MS = 10;

/** Stands for the message of a redirected packet, which comes from the instance that its connection has left. */
const REDIRECTED = { from: NO_MARK, hops: MAX_HOPS - 1, next: [] };

/** Keeps the hash for rendezvous hashing independent of the hashes that are partly visible to a peer. */
const RENDEZVOUS_DOMAIN = 0x70656572;

/** Hands packets to the other instances, and processes theirs. */
export class Peers {
  readonly #group: PeerGroup;
  readonly #membership: Membership;
  readonly #messages: Messages;
  readonly #hash: KeyedHash;
  readonly #moved: MovedBetweenInstances;
  /** If the stack runs as several shards, one of them reports to the other instances. */
  readonly #reports: boolean;
  /** Bounded by the buckets and by the number of packets received since it was last drained. */
  readonly #queue = new Queue<PeerMessage>();
  readonly #handed = new TokenBucket(HANDED_PER_SECOND, HANDED_PER_SECOND, 0);
  readonly #broadcast = new TokenBucket(BROADCAST_PER_SECOND, BROADCAST_PER_SECOND, 0);
  #reportAt = -Infinity;
  #reportedServing = true;
  #announcedAt = -Infinity;
  /** Whether the others may have considered this instance dead since {@link Peers.takeReturn} was last called. */
  #hasReturned = false;
  /** The message whose packet is being processed. */
  #received: Pick<ReceivedMessage, "from" | "hops" | "next"> | undefined;

  /** `hash` has the group's `connectionKey`; `shard`: the number of this one if the stack runs as several. */
  constructor(group: PeerGroup, hash: KeyedHash, shard = 0) {
    this.#group = group;
    this.#membership = group.membership;
    this.#messages = new Messages(group.self, group.messageKey, group.membership, {
      shard,
      process: group.process,
      onDuplicate: (instance) => group.onDuplicate(instance),
    });
    this.#reports = shard === 0;
    this.#hash = hash;
    this.#moved = new MovedBetweenInstances(group, hash);
  }

  // ---------------------------------------------------------------- connections

  /** The wall clock, which all instances share, in milliseconds. */
  wallNow(now: number): number {
    return now + this.#group.wallOffset;
  }

  /** What this instance adds to the clock and the hash for the timestamps of its own connections. */
  get markOffset(): number {
    return markOffset(this.#group.self, this.#group.wallOffset);
  }

  /**
   * The instance that sent the timestamp that `segment` echoes, if that instance is dead now; its SYN cookies are
   * accepted here. Otherwise `undefined`.
   */
  deadSender(ip: IpHeader, segment: Segment, now: number): number | undefined {
    if (!segment.hasTimestamps) return undefined;
    const sender = this.#markOfSegment(ip, segment, now);
    const isDead = this.#membership.isOther(sender) && !this.#membership.isReachable(sender, now);
    return isDead ? sender : undefined;
  }

  /** What has to be added to this instance's timestamps to continue those of a connection that `sender` began. */
  markDifference(sender: number): number {
    return markDifference(this.#group.self, sender);
  }

  /** Whether this instance cannot take over more connections. */
  get isFull(): boolean {
    return this.#moved.isFull;
  }

  /** This instance has taken over a connection; with `wasTakenOver`, an earlier process of it had done so before. */
  takeOver(tcb: Tcb, now: number, wasTakenOver: boolean): void {
    const hash = this.#rendezvousOf(tcb.local, tcb.localPort, tcb.remote, tcb.remotePort);
    // A process that has just taken over does not know which instances accept connections.
    const isOwn = !this.#membership.isNew(now) &&
      this.#membership.instanceForNew(hash, now) === this.#group.self;
    this.#moved.takeOver(tcb, { isOwn, wasTakenOver }, now);
  }

  /** Announces a connection that an earlier process of this instance has taken over, until {@link Peers.forget}. */
  announceFor(connection: AnnouncedConnection): void {
    this.#moved.announceFor(connection);
  }

  /** The instance that segments of a connection identify that this instance has taken over; else `undefined`. */
  markOfTakenOver(tcb: Tcb): number | undefined {
    return this.#moved.markOfTakenOver(tcb);
  }

  /** A connection has left the tables. */
  forget(connection: Tcb | AnnouncedConnection): void {
    this.#moved.forget(connection);
  }

  // ---------------------------------------------------------------- packets to others

  /**
   * Hands a segment of a connection that this stack does not have to the instance that may have it. True: it was handed
   * on. False: it belongs here. Otherwise it is dropped for the reason returned.
   */
  handSegment(
    ip: IpHeader,
    segment: Segment,
    packet: Uint8Array,
    segmentSize: number,
    now: number,
    usesTimestamps: boolean,
  ): boolean | DropReason {
    if (!this.#group.isActive) return false;
    if (segment.has(FLAG.SYN) && !segment.has(FLAG.ACK)) {
      return this.#handSyn(ip, segment, packet, usesTimestamps, now);
    }
    const received = this.#received;
    const hand = (instances: readonly (number | undefined)[]) => {
      const [to, ...next] = new Set(instances.filter((each) => each !== undefined));
      if (to === undefined) return false;
      return this.#hand(to, next.slice(0, MAX_HOPS - 1), ip, packet, segmentSize, now);
    };
    const isBroadcast = segment.has(FLAG.RST) && !segment.hasTimestamps;
    if (isBroadcast) return received === undefined && this.#handToAll(ip, packet, now);
    const mark = segment.hasTimestamps ? this.#markOfSegment(ip, segment, now) : NO_MARK;
    const movedTo = this.#moved.instanceWith(ip, segment, mark, now);
    if (received !== undefined) {
      if (received.hops >= MAX_HOPS) return false;
      // The sender has chosen the next instances, since it may know members that this instance does not know.
      const next = received.next.filter((each) => this.#membership.isReachable(each, now));
      return hand([movedTo === received.from ? undefined : movedTo, ...next]);
    }
    if (mark !== NO_MARK) {
      return hand([movedTo, this.#membership.isReachable(mark, now) ? mark : undefined]);
    }
    const hash = this.#rendezvousHash(ip, segment);
    return hand([movedTo, ...this.#membership.candidates(hash, now)]);
  }

  /** Whether the packet being processed must not go to another instance. */
  get isLastHop(): boolean {
    return this.#received !== undefined && this.#received.hops >= MAX_HOPS;
  }

  /**
   * Hands on a segment that does not fit the connection here, if it belongs to one with the same 4-tuple elsewhere:
   * the client has reused its port, or two instances have answered its SYN.
   */
  handMisplaced(
    tcb: Tcb,
    ip: IpHeader,
    segment: Segment,
    packet: Uint8Array,
    segmentSize: number,
    now: number,
  ): boolean {
    return this.#group.isActive && this.isMarkedForOther(tcb, ip, segment, now) &&
      this.handSegment(ip, segment, packet, segmentSize, now, true) === true;
  }

  /** Whether a segment has the mark of another instance, which may be unreachable, and not that of the connection. */
  isMarkedForOther(tcb: Tcb, ip: IpHeader, segment: Segment, now: number): boolean {
    if (!segment.hasTimestamps) return false;
    const mark = this.#markOfSegment(ip, segment, now);
    return this.#membership.isOther(mark) && mark !== this.#moved.markOf(tcb, now);
  }

  /** Hands on an ICMP error about a segment that another instance has sent; false: it has not. */
  handError(quoted: QuotedPacket, ip: IpHeader, packet: Uint8Array, now: number): boolean {
    if (!this.#group.isActive) return false;
    const { local, localPort, remote, remotePort, tsVal, protocol } = quoted;
    if (protocol !== PROTOCOL.TCP || this.isLastHop) return false;
    const isFirst = this.#received === undefined;
    if (tsVal === undefined) return isFirst && this.#handToAll(ip, packet, now);
    const hash = this.#hash.connection(remote, remotePort, local, localPort);
    const mark = instanceOf(tsVal, hash, this.wallNow(now));
    const instance = this.#moved.instanceWithQuoted(quoted, mark, now) ??
      (isFirst ? mark : undefined);
    if (instance === undefined || instance === this.#received?.from) return false;
    if (!this.#membership.isReachable(instance, now) || !this.#handed.take(now)) return false;
    this.#send(instance, [], packet.subarray(0, ip.payloadEnd), 0, now);
    return true;
  }

  /** Removes the next message for another instance. */
  next(): PeerMessage | undefined {
    return this.#queue.shift();
  }

  /**
   * Hands a SYN to the instance that rendezvous hashing chooses, unless this instance accepts connections and the
   * segments of the new one will have a mark.
   */
  #handSyn(
    ip: IpHeader,
    segment: Segment,
    packet: Uint8Array,
    usesTimestamps: boolean,
    now: number,
  ): boolean | DropReason {
    const { isServing } = this.#membership;
    const hops = this.#received?.hops ?? 0;
    const staysHere = hops > 0 || (usesTimestamps && segment.hasTimestamps);
    if ((isServing && staysHere) || hops >= MAX_HOPS) return false;
    const instance = this.#membership.instanceForNew(this.#rendezvousHash(ip, segment), now);
    if (instance === undefined || instance === this.#group.self) return false;
    return this.#hand(instance, [], ip, packet, 0, now);
  }

  #hand(
    to: number,
    next: readonly number[],
    ip: IpHeader,
    packet: Uint8Array,
    segmentSize: number,
    now: number,
  ): boolean | DropReason {
    if (!this.#handed.take(now)) return "peer-rate";
    for (const piece of divideSuperPacket(ip, packet, segmentSize)) {
      this.#send(to, next, piece, segmentSize, now);
    }
    return true;
  }

  /** RSTs and ICMP errors often have no timestamps. They are never handed on twice. */
  #handToAll(ip: IpHeader, packet: Uint8Array, now: number): boolean {
    const others = this.#membership.others()
      .filter((member) => this.#membership.isReachable(member, now));
    if (others.length === 0 || !this.#broadcast.take(now)) return false;
    for (const to of others) this.#send(to, [], packet.subarray(0, ip.payloadEnd), 0, now);
    return true;
  }

  #send(
    to: number,
    next: readonly number[],
    packet: Uint8Array,
    segmentSize: number,
    now: number,
  ): void {
    const hops = (this.#received?.hops ?? 0) + 1;
    const envelope = { to, hops, next, segmentSize };
    this.#queue.push(this.#messages.seal(envelope, packet, packet.length, this.wallNow(now)));
  }

  #markOfSegment(ip: IpHeader, segment: Segment, now: number): number {
    const { sourcePort, destinationPort, tsEcr } = segment;
    const [local, remote] = this.#endsOf(ip);
    const hash = this.#hash.connection(remote, sourcePort, local, destinationPort);
    return instanceOf(tsEcr, hash, this.wallNow(now));
  }

  #rendezvousHash(ip: IpHeader, { sourcePort, destinationPort }: Segment): number {
    const [local, remote] = this.#endsOf(ip);
    return this.#rendezvousOf(local, destinationPort, remote, sourcePort);
  }

  #rendezvousOf(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ): number {
    return this.#hash.connection(local, localPort, remote, remotePort, RENDEZVOUS_DOMAIN, 0);
  }

  #endsOf(ip: IpHeader): [local: IpAddress, remote: IpAddress] {
    return [destinationOf(ip), sourceOf(ip)];
  }

  // ---------------------------------------------------------------- packets from others

  /**
   * Verifies a message. Returns the reason if it is dropped; otherwise its packet with the segment size, if it has a
   * packet. The packets handled before {@link Peers.finish} count as received in this message.
   */
  receive(
    message: Uint8Array,
    length: number,
    now: number,
  ): DropReason | { readonly packet: Uint8Array; readonly segmentSize: number } | undefined {
    const opened = this.#messages.open(message, length, now, this.wallNow(now));
    if (typeof opened === "string") {
      this.#group.refused++;
      return opened;
    }
    // A sender that asks for announcements has restarted, so it was indeed dead. Any other sender was only unreachable,
    // and may have considered this instance dead in the meantime.
    if (opened.wasDead && !opened.asks) this.#hasReturned = true;
    const packet = message.subarray(MESSAGE_HEADER, length);
    if (opened.hops === 0) {
      if (opened.asks) this.#moved.repeat(now);
      this.#moved.learn(packet, opened.from, now);
      return undefined;
    }
    this.#received = opened;
    return { packet, segmentSize: opened.segmentSize };
  }

  /** The packets handled before {@link Peers.finish} count as redirected; see {@link REDIRECTED}. */
  beginRedirected(): void {
    this.#received = REDIRECTED;
  }

  /** The packet has been processed. */
  finish(): void {
    this.#received = undefined;
  }

  // ---------------------------------------------------------------- time

  /** When {@link Peers.handleTimeout} has to be called. */
  nextTimeout(): number {
    if (!this.#group.isActive || !this.#reports) return Infinity;
    // The sooner the others learn that this instance is draining, the fewer new connections they hand to it.
    const isReported = this.#reportedServing === this.#membership.isServing;
    if (!isReported || this.#reportAt === -Infinity) return 0;
    if (!this.#moved.hasFresh) return this.#reportAt;
    return Math.min(this.#reportAt, this.#announcedAt + ANNOUNCE_MS);
  }

  /**
   * Reports to the others that this instance is alive, whether it accepts connections, and which ones it has taken
   * over.
   */
  handleTimeout(now: number): void {
    if (now < this.nextTimeout()) return;
    if (this.#reportAt !== -Infinity && now - this.#reportAt >= DEAD_MS) this.#hasReturned = true;
    const isServing = this.#membership.isServing;
    if (now >= this.#reportAt || this.#reportedServing !== isServing) {
      this.#reportedServing = isServing;
      this.#reportAt = now + REPORT_MS;
      this.#sendToOthers(NO_LIST, now);
    }
    this.#announcedAt = now;
    for (const list of this.#moved.announcements(now)) this.#sendToOthers(list, now);
  }

  /**
   * Whether others may have reset clients of this instance, because it counted as dead for a while; true once.
   */
  takeReturn(): boolean {
    const hasReturned = this.#hasReturned;
    this.#hasReturned = false;
    return hasReturned;
  }

  #sendToOthers(list: Uint8Array, now: number): void {
    const asks = this.#membership.isNew(now);
    for (const to of this.#membership.others()) {
      const envelope = { to, hops: 0, next: [], segmentSize: 0 };
      this.#queue.push(this.#messages.seal(envelope, list, list.length, this.wallNow(now), asks));
    }
  }
}

const NO_LIST = new Uint8Array(0);
