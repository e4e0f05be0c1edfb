/**
 * Connections that have moved from one instance to another. Their segments still identify the instance that they came
 * from, so the new instance announces them to all others, again and again until they end.
 *
 * @module
 */
import type { KeyedHash } from "../../tcp/isn.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { TIMESTAMPS } from "../../tcp/tcb_flags.ts";
import { timestamp } from "../../tcp/timestamps.ts";
import { readI32 } from "../../wire/bytes.ts";
import type { IpHeader } from "../../wire/ip.ts";
import type { Segment } from "../../wire/tcp.ts";
import type { QuotedPacket } from "../icmp/quoted.ts";
import { MAX_TAKEN_OVER, TakenOverConnections } from "./taken_over.ts";
import { announced, type AnnouncedConnection, announcements } from "./announcement.ts";
import { instanceOf, NO_MARK } from "./instance_mark.ts";
import type { Membership } from "./membership.ts";
import { AnnouncedConnections } from "./announced_connections.ts";
import type { PeerGroup } from "./peer_group.ts";

/** The connections that this instance has taken over, and those that others have taken over. */
export class MovedBetweenInstances {
  readonly #group: PeerGroup;
  readonly #membership: Membership;
  readonly #hash: KeyedHash;
  readonly #announced: AnnouncedConnections;
  readonly #takenOver = new TakenOverConnections();

  /** `hash` has the group's `connectionKey`. */
  constructor(group: PeerGroup, hash: KeyedHash) {
    this.#group = group;
    this.#membership = group.membership;
    this.#hash = hash;
    this.#announced = new AnnouncedConnections(readI32(group.messageKey, 0));
    group.hasMoved = ({ local, localPort, remote, remotePort }) =>
      this.#announced.get(local, localPort, remote, remotePort) !== undefined;
  }

  // ---------------------------------------------------------------- this instance

  /** Whether no more connections can be taken over. */
  get isFull(): boolean {
    return this.#takenOver.count >= MAX_TAKEN_OVER;
  }

  /** Number of connections that others have announced. */
  get announcedCount(): number {
    return this.#announced.count;
  }

  /**
   * This instance has taken over a connection that was frozen elsewhere. The connection is announced if its segments
   * identify another instance, or if another instance has announced it before.
   */
  takeOver(
    tcb: Tcb,
    { isOwn, wasTakenOver }: { readonly isOwn: boolean; readonly wasTakenOver: boolean },
    now: number,
  ): void {
    const { local, localPort, remote, remotePort } = tcb;
    const wasElsewhere = this.#announced.remove(local, localPort, remote, remotePort);
    const mark = this.markOf(tcb, now);
    const isKnown = wasElsewhere || wasTakenOver;
    if (!isKnown && (mark === NO_MARK ? isOwn : mark === this.#group.self)) return;
    this.#takenOver.add(tcb, { local, localPort, remote, remotePort, mark });
  }

  /** An earlier process of this instance has taken over a connection, and leaves announcing it to this one. */
  announceFor(connection: AnnouncedConnection): void {
    const { local, localPort, remote, remotePort } = connection;
    this.#announced.remove(local, localPort, remote, remotePort);
    if (!this.isFull) this.#takenOver.add(connection, connection);
  }

  /** The instance that segments of a connection identify that this instance has taken over; else `undefined`. */
  markOfTakenOver(tcb: Tcb): number | undefined {
    return this.#takenOver.count === 0 ? undefined : this.#takenOver.markOf(tcb);
  }

  /** The connection has ended, or moved to another instance. */
  forget(connection: Tcb | AnnouncedConnection): void {
    if (this.#takenOver.count > 0) this.#takenOver.remove(connection);
  }

  /** The instance that segments of a connection of this one identify, or `NO_MARK`. */
  markOf(tcb: Tcb, now: number): number {
    if (!tcb.has(TIMESTAMPS)) return NO_MARK;
    const hash = this.#hash.connection(tcb.remote, tcb.remotePort, tcb.local, tcb.localPort);
    return instanceOf(timestamp(tcb, now), hash, now + this.#group.wallOffset);
  }

  /** Whether there is something to announce at once. */
  get hasFresh(): boolean {
    return this.#takenOver.hasFresh;
  }

  /** The lists to send to all others at `now`. */
  announcements(now: number): Iterable<Uint8Array> {
    return announcements(this.#takenOver.take(now));
  }

  /** Announces everything again, because another instance has asked for it. */
  repeat(now: number): void {
    this.#takenOver.repeat(now);
  }

  // ---------------------------------------------------------------- other instances

  /** Another instance has announced connections. */
  learn(list: Uint8Array, from: number, now: number): void {
    this.#announced.expire(now);
    for (const connection of announced(list)) this.#announced.learn(connection, from, now);
  }

  /**
   * The instance that has taken over the connection of a segment whose mark is `mark`, which may be `NO_MARK`.
   * `undefined`: there is none, or it is unreachable.
   */
  instanceWith(ip: IpHeader, segment: Segment, mark: number, now: number): number | undefined {
    const entry = this.#announced.find(ip, segment.sourcePort, segment.destinationPort);
    return this.#reachable(entry, mark, now);
  }

  /** {@link instanceWith} for a segment that an ICMP error quotes. */
  instanceWithQuoted(quoted: QuotedPacket, mark: number, now: number): number | undefined {
    const { local, localPort, remote, remotePort } = quoted;
    return this.#reachable(this.#announced.get(local, localPort, remote, remotePort), mark, now);
  }

  /** A segment with another mark belongs to a later connection between the same ports. */
  #reachable(
    entry: AnnouncedConnection & { readonly instance: number } | undefined,
    mark: number,
    now: number,
  ): number | undefined {
    if (entry === undefined || entry.mark !== mark) return undefined;
    return this.#membership.isReachable(entry.instance, now) ? entry.instance : undefined;
  }
}
