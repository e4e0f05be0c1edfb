/**
 * Instances on several machines that serve the same addresses: a router sends the segments of a connection to any of
 * them, and the one that has no such connection hands them to the one that has it. That one answers the client itself.
 *
 * No instance keeps state about the connections of others. The peer's TSecr identifies the owner (`instance_mark.ts`).
 * A connection without timestamps belongs to the instance that rendezvous hashing chooses, to which its SYN is handed
 * too (`membership.ts`).
 *
 * @module
 */
import { Queue } from "../../buffers/queue.ts";
import type { KeyedHash } from "../../tcp/isn.ts";
import type { IpAddress } from "../../wire/address.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { type IpHeader, PROTOCOL } from "../../wire/ip.ts";
import { FLAG, type Segment } from "../../wire/tcp.ts";
import type { QuotedPacket } from "../icmp/quoted.ts";
import { destinationOf, sourceOf } from "../replies.ts";
import { TokenBucket } from "../token_bucket.ts";
import { instanceOf, markDifference, markOffset } from "./instance_mark.ts";
import type { Membership } from "./membership.ts";
import {
  MAX_HOPS,
  MESSAGE_HEADER,
  Messages,
  type PeerMessage,
  type ReceivedMessage,
} from "./message.ts";
import type { PeerGroup } from "./peer_group.ts";
import { divideSuperPacket } from "./super_packet.ts";

/** Packets handed to others in a second, so that a flood of segments without a connection stays here. */
export const HANDED_PER_SECOND = 20_000;
/** RSTs and ICMP errors without a mark in a second; each is handed to all others. */
export const BROADCAST_PER_SECOND = 200;
/** Interval at which the state is reported to each other instance, in milliseconds. */
const REPORT_MS = 250;

/** Makes the hash for rendezvous hashing different from those that a peer sees parts of. */
const RENDEZVOUS_DOMAIN = 0x70656572;

/** Hands packets to the other instances, and processes theirs. */
export class Peers {
  readonly #group: PeerGroup;
  readonly #membership: Membership;
  readonly #messages: Messages;
  readonly #hash: KeyedHash;
  /** Bounded by the buckets and by the number of packets received since it was last drained. */
  readonly #queue = new Queue<PeerMessage>();
  readonly #handed = new TokenBucket(HANDED_PER_SECOND, HANDED_PER_SECOND, 0);
  readonly #broadcast = new TokenBucket(BROADCAST_PER_SECOND, BROADCAST_PER_SECOND, 0);
  #reportAt = -Infinity;
  #reportedServing = true;
  /** The message whose packet is being processed. */
  #received: ReceivedMessage | undefined;

  /** `hash` has the group's `connectionKey`. */
  constructor(group: PeerGroup, hash: KeyedHash) {
    this.#group = group;
    this.#membership = group.membership;
    this.#messages = new Messages(group.self, group.messageKey, group.membership);
    this.#hash = hash;
  }

  // ---------------------------------------------------------------- connections

  /** The wall clock, which all instances share, in milliseconds. */
  wallNow(now: number): number {
    return now + this.#group.wallOffset;
  }

  /** What the timestamps of a connection of this instance have on top of the clock and the hash. */
  get markOffset(): number {
    return markOffset(this.#group.self, this.#group.wallOffset);
  }

  /**
   * The instance that has sent the echoed timestamp of `segment` if it has died since; its SYN cookies are accepted
   * here. Otherwise `undefined`.
   */
  deadSender(ip: IpHeader, segment: Segment, now: number): number | undefined {
    if (!segment.hasTimestamps) return undefined;
    const sender = this.#markOf(
      ip,
      segment.sourcePort,
      segment.destinationPort,
      segment.tsEcr,
      now,
    );
    const isDead = this.#membership.isOther(sender) && !this.#membership.isReachable(sender, now);
    return isDead ? sender : undefined;
  }

  /** What a connection that `sender` has begun adds to this instance's timestamps to continue its own. */
  markDifference(sender: number): number {
    return markDifference(this.#group.self, sender);
  }

  // ---------------------------------------------------------------- packets to others

  /**
   * Hands a segment without a connection to the instance that it belongs to. True: it was handed on. False: it belongs
   * here. Otherwise it is dropped for the reason returned.
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
    const hand = ([to, ...next]: readonly number[]) =>
      to === undefined
        ? false
        : this.#hand(to, next.slice(0, MAX_HOPS - 1), ip, packet, segmentSize, now);
    // The sender has chosen the next instances, since it may have members that this instance does not have.
    if (received !== undefined) return hand(this.#nextOf(received, now));
    if (segment.hasTimestamps) {
      const owner = this.#ownerByMark(ip, segment, now);
      return owner === undefined ? false : hand([owner]);
    }
    if (segment.has(FLAG.RST)) return this.#handToAll(ip, packet, now);
    const hash = this.#rendezvousHash(ip, segment);
    return hand(this.#membership.candidates(hash, now));
  }

  /**
   * Hands on a segment that does not fit the connection here, if it belongs to one with the same 4-tuple elsewhere:
   * the client has reused its port, or two instances have answered its SYN.
   */
  handMisplaced(
    ip: IpHeader,
    segment: Segment,
    packet: Uint8Array,
    segmentSize: number,
    now: number,
  ): boolean {
    if (!this.#group.isActive) return false;
    if (this.#received !== undefined || !segment.hasTimestamps) return false;
    const owner = this.#ownerByMark(ip, segment, now);
    return owner !== undefined &&
      this.#hand(owner, [], ip, packet, segmentSize, now) === true;
  }

  /** Whether a segment has the mark of another instance, which may be unreachable. */
  isMarkedForOther(ip: IpHeader, segment: Segment, now: number): boolean {
    const { hasTimestamps, sourcePort, destinationPort, tsEcr } = segment;
    return hasTimestamps &&
      this.#membership.isOther(this.#markOf(ip, sourcePort, destinationPort, tsEcr, now));
  }

  /** Hands on an ICMP error about a segment that another instance has sent; false: it has not. */
  handError(quoted: QuotedPacket, ip: IpHeader, packet: Uint8Array, now: number): boolean {
    if (!this.#group.isActive) return false;
    if (this.#received !== undefined || quoted.protocol !== PROTOCOL.TCP) return false;
    const { local, localPort, remote, remotePort, tsVal } = quoted;
    if (tsVal === undefined) return this.#handToAll(ip, packet, now);
    const hash = this.#hash.connection(remote, remotePort, local, localPort);
    const owner = instanceOf(tsVal, hash, this.wallNow(now));
    if (!this.#membership.isReachable(owner, now) || !this.#handed.take(now)) return false;
    this.#send(owner, [], packet.subarray(0, ip.payloadEnd), 0, now);
    return true;
  }

  /** Removes the next message for another instance. */
  next(): PeerMessage | undefined {
    return this.#queue.shift();
  }

  /** A new connection belongs here if its segments will have a mark, and if this instance accepts connections. */
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
    const owner = this.#membership.ownerOfNew(this.#rendezvousHash(ip, segment), now);
    if (owner === undefined || owner === this.#group.self) return false;
    return this.#hand(owner, [], ip, packet, 0, now);
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

  #nextOf({ hops, next }: ReceivedMessage, now: number): number[] {
    if (hops >= MAX_HOPS) return [];
    return next.filter((instance) => this.#membership.isReachable(instance, now));
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

  /** The reachable other instance whose mark a segment carries. */
  #ownerByMark(ip: IpHeader, segment: Segment, now: number): number | undefined {
    const { sourcePort, destinationPort, tsEcr } = segment;
    const owner = this.#markOf(ip, sourcePort, destinationPort, tsEcr, now);
    return this.#membership.isReachable(owner, now) ? owner : undefined;
  }

  #markOf(ip: IpHeader, remotePort: number, localPort: number, tsEcr: number, now: number): number {
    const [local, remote] = this.#endsOf(ip);
    const hash = this.#hash.connection(remote, remotePort, local, localPort);
    return instanceOf(tsEcr, hash, this.wallNow(now));
  }

  #rendezvousHash(ip: IpHeader, { sourcePort, destinationPort }: Segment): number {
    const [local, remote] = this.#endsOf(ip);
    return this.#hash.connection(local, destinationPort, remote, sourcePort, RENDEZVOUS_DOMAIN, 0);
  }

  #endsOf(ip: IpHeader): [local: IpAddress, remote: IpAddress] {
    return [destinationOf(ip), sourceOf(ip)];
  }

  // ---------------------------------------------------------------- packets from others

  /**
   * Verifies a message. Returns the reason if it is dropped, its packet with the segment size if it has one. Until
   * {@link Peers.finish} the packets handled count as those of the message.
   */
  receive(
    message: Uint8Array,
    length: number,
    now: number,
  ): DropReason | { readonly packet: Uint8Array; readonly segmentSize: number } | undefined {
    const opened = this.#messages.open(message, length, now, this.wallNow(now));
    if (typeof opened === "string") return opened;
    if (opened.hops === 0) return undefined;
    this.#received = opened;
    return { packet: message.subarray(MESSAGE_HEADER, length), segmentSize: opened.segmentSize };
  }

  /** The packet of a message has been processed. */
  finish(): void {
    this.#received = undefined;
  }

  // ---------------------------------------------------------------- time

  /** When {@link Peers.handleTimeout} has to be called. */
  nextTimeout(): number {
    if (!this.#group.isActive) return Infinity;
    // The sooner the others learn that this instance is draining, the fewer new connections they hand to it.
    const isReported = this.#reportedServing === this.#membership.isServing;
    return isReported && this.#reportAt !== -Infinity ? this.#reportAt : 0;
  }

  /** Reports to the others that this instance is alive, and whether it accepts connections. */
  handleTimeout(now: number): void {
    if (now < this.nextTimeout()) return;
    this.#reportedServing = this.#membership.isServing;
    this.#reportAt = now + REPORT_MS;
    for (const to of this.#membership.others()) {
      const envelope = { to, hops: 0, next: [], segmentSize: 0 };
      this.#queue.push(this.#messages.seal(envelope, NO_PACKET, 0, this.wallNow(now)));
    }
  }
}

const NO_PACKET = new Uint8Array(0);
