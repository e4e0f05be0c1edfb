/**
 * A limit of connections or flows, shared fairly between clients.
 *
 * @module
 */
import { Sources } from "../../core/buffers/sources.ts";
import { TcpError } from "../../core/api/errors.ts";
import { Cancellation, type CancelSignal } from "../../core/api/runtime/cancellation.ts";
import type { ClosedListener } from "../../core/api/tcp/connection_listener.ts";
import { IpAddress } from "../../core/wire/address.ts";
import type { DatagramChannel } from "./host_network.ts";
import { type Duplex, whenClosed } from "./relay.ts";

/**
 * Number of slots of a client, or a quarter of a small limit, that are never evicted for other
 * clients.
 */
const MIN_PER_SOURCE = 64;
const SHARE_DIVISOR = 4;
/** Maximum number of a client's own slots that are examined to find one to evict. */
const EVICTION_CANDIDATES = 16;
const NO_LIMITS: readonly SharedLimit[] = [];

/** One connection or flow that counts against a {@link SharedLimit}. */
export interface Slot {
  /** Frees the slot; further calls have no effect. */
  leave(): void;
  /** Marks the slot as used just now, so that others are evicted before it. */
  touch(): void;
  /** Sets whether the slot gives way, see {@link SlotOptions.givesWay}. */
  setGivesWay(givesWay: boolean): void;
}

/** A slot of a limit, and of further ones that it counts against. */
abstract class Entry implements Slot {
  readonly remote: IpAddress;
  givesWay: boolean;
  readonly #limit: SharedLimit;
  readonly #also: readonly SharedLimit[];

  constructor(remote: IpAddress, limit: SharedLimit, { givesWay, also }: SlotOptions) {
    this.remote = remote;
    this.givesWay = givesWay ?? false;
    this.#limit = limit;
    this.#also = also ?? NO_LIMITS;
  }

  /** Called when the slot was freed for another client. */
  abstract evict(): void;

  leave(): void {
    this.#limit.delete(this);
    for (const limit of this.#also) limit.delete(this);
  }

  touch(): void {
    this.#limit.touch(this);
    for (const limit of this.#also) limit.touch(this);
  }

  setGivesWay(givesWay: boolean): void {
    this.givesWay = givesWay;
    this.#limit.setGivesWay(this, givesWay);
    for (const limit of this.#also) limit.setGivesWay(this, givesWay);
  }
}

/** A slot with a callback. */
class CallbackEntry extends Entry {
  readonly evict: () => void;

  constructor(
    remote: IpAddress,
    limit: SharedLimit,
    options: SlotOptions,
    evict: () => void,
  ) {
    super(remote, limit, options);
    this.evict = evict;
  }
}

/** The slot of a connection to an upstream. Kept small, since there may be very many. */
class ConnectionEntry extends Entry implements ClosedListener {
  /** Kept only until there is a connection. */
  attempt: Cancellation | undefined = new Cancellation();
  #upstream: Duplex | undefined = undefined;

  evict(): void {
    const evicted = new EvictedError();
    this.attempt?.abort(evicted);
    this.#upstream?.abort(evicted);
  }

  /** The attempt has succeeded; the slot is freed with the connection. */
  connected(upstream: Duplex): void {
    const { aborted, reason } = this.attempt!;
    this.attempt = undefined;
    this.#upstream = upstream;
    whenClosed(upstream, this);
    // The attempt was cancelled just after it had succeeded.
    if (aborted && reason instanceof EvictedError) upstream.abort(reason);
  }

  onClosed(): void {
    this.leave();
  }

  onHeld(): void {
    this.leave();
  }
}

/** Options of {@link SharedLimit.enter}. */
export interface SlotOptions {
  /**
   * The slot may be evicted for the same client, and for any client if no client has many; least
   * recently used first. Meant for datagrams and unfinished handshakes, whose sources may be forged.
   * Default `false`.
   */
  readonly givesWay?: boolean | undefined;
  /** Further limits that the slot counts against; it is free only if it is free in each of them. */
  readonly also?: readonly SharedLimit[] | undefined;
}

/** A connection, and its slot. */
export interface HeldConnection {
  readonly upstream: Duplex;
  readonly slot: Slot;
}

/**
 * At most `limit` connections or flows at the same time. If all slots are taken, the client that has the
 * most loses its oldest slot to a client that has fewer; a client is an IPv4 address or an IPv6 /64. The client that
 * has the most is refused, and so is any client if no client has many.
 */
export class SharedLimit {
  readonly #limit: number;
  readonly #sources: Sources<Entry>;
  readonly #givingWay = new Set<Entry>();
  #size = 0;

  /** `limit` is at least 1. */
  constructor(limit: number) {
    this.#limit = limit;
    this.#sources = new Sources(
      Math.min(MIN_PER_SOURCE, Math.max(1, Math.floor(limit / SHARE_DIVISOR))),
    );
  }

  /** Slots taken. */
  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= this.#limit;
  }

  /** Whether {@link SharedLimit.enter} would succeed. */
  admits(hostname: string, { givesWay = false, also = NO_LIMITS }: SlotOptions = {}): boolean {
    const remote = addressOf(hostname);
    return this.#admits(remote, givesWay) &&
      also.every((limit) => limit.#admits(remote, givesWay));
  }

  /**
   * Takes a slot for the client at `hostname`; `evict` is called when the slot was freed for another client.
   * `undefined`: no slot is free.
   */
  enter(hostname: string, evict: () => void, options: SlotOptions = {}): Slot | undefined {
    const entry = new CallbackEntry(addressOf(hostname), this, options, evict);
    return this.#enter(entry, options) ? entry : undefined;
  }

  /**
   * Connects for the client at `hostname`; the slot is freed when the connection has ended. If the slot is evicted, the
   * connection is aborted, or the attempt cancelled, as it is with `signal`.
   *
   * @throws {TcpError} No slot is free.
   * @throws What `dial` throws.
   */
  async connect(
    hostname: string,
    signal: CancelSignal,
    dial: (attempt: Cancellation) => Promise<Duplex>,
    options: SlotOptions = {},
  ): Promise<HeldConnection> {
    const entry = new ConnectionEntry(addressOf(hostname), this, options);
    if (!this.#enter(entry, options)) throw noSlot();
    const attempt = entry.attempt!;
    const abortAttempt = () => attempt.abort(signal.reason);
    signal.addEventListener("abort", abortAttempt);
    if (signal.aborted) abortAttempt();
    try {
      const upstream = await dial(attempt);
      entry.connected(upstream);
      return { upstream, slot: entry };
    } catch (error) {
      entry.leave();
      throw error;
    } finally {
      signal.removeEventListener("abort", abortAttempt);
    }
  }

  /** Counts a connection that another stack has admitted, even if no slot is free. */
  enterMoved(hostname: string, upstream: Duplex, options: SlotOptions = {}): void {
    const entry = new ConnectionEntry(addressOf(hostname), this, options);
    for (const limit of [this, ...options.also ?? NO_LIMITS]) limit.#add(entry);
    entry.connected(upstream);
  }

  /** For {@link Slot.leave}. */
  delete(entry: Entry): void {
    if (!this.#sources.of(entry.remote).items.has(entry)) return;
    this.#sources.delete(entry);
    this.#givingWay.delete(entry);
    this.#size--;
  }

  /** For {@link Slot.touch}. */
  touch(entry: Entry): void {
    if (!this.#givingWay.delete(entry)) return;
    this.#givingWay.add(entry);
    const { items } = this.#sources.of(entry.remote);
    items.delete(entry);
    items.add(entry);
  }

  /** For {@link Slot.setGivesWay}. */
  setGivesWay(entry: Entry, givesWay: boolean): void {
    if (!this.#sources.of(entry.remote).items.has(entry)) return;
    if (givesWay) this.#givingWay.add(entry);
    else this.#givingWay.delete(entry);
  }

  #admits(remote: IpAddress, givesWay: boolean): boolean {
    return !this.isFull || this.#evictable(remote, givesWay) !== undefined;
  }

  /** Puts `entry` into this and the further limits; false: one of them has no room for it. */
  #enter(entry: Entry, { also = NO_LIMITS }: SlotOptions): boolean {
    const { remote, givesWay } = entry;
    if (!this.#admits(remote, givesWay)) return false;
    for (const limit of also) if (!limit.#admits(remote, givesWay)) return false;
    this.#take(entry);
    for (const limit of also) limit.#take(entry);
    return true;
  }

  /** There must be a slot that is free or evictable. */
  #take(entry: Entry): void {
    if (this.isFull) {
      const evicted = this.#evictable(entry.remote, entry.givesWay)!;
      evicted.leave();
      evicted.evict();
    }
    this.#add(entry);
  }

  #add(entry: Entry): void {
    this.#size++;
    this.#sources.add(entry);
    if (entry.givesWay) this.#givingWay.add(entry);
  }

  #evictable(newcomer: IpAddress, givesWay: boolean): Entry | undefined {
    const largest = this.#sources.largest();
    const own = this.#sources.of(newcomer).items;
    // With a difference of one, the two clients would evict each other in turn.
    if (largest !== undefined && own.size + 1 < largest.items.size) return first(largest.items);
    if (largest === undefined) return first(this.#givingWay);
    return givesWay ? oldestGivingWay(own) : undefined;
  }
}

/** A client's connections may be older than its flows. */
function oldestGivingWay(own: ReadonlySet<Entry>): Entry | undefined {
  let looked = 0;
  for (const entry of own) {
    if (entry.givesWay) return entry;
    if (++looked === EVICTION_CANDIDATES) break;
  }
  return undefined;
}

function first<T>([one]: ReadonlySet<T>): T | undefined {
  return one;
}

/** Datagrams of this channel in either direction mark its slot as used. */
export function withSlot(channel: DatagramChannel, slot: Slot): DatagramChannel {
  return {
    async receive() {
      const datagram = await channel.receive();
      slot.touch();
      return datagram;
    },
    send(datagram) {
      slot.touch();
      return channel.send(datagram);
    },
    close: () => channel.close(),
    refuse: (why) => channel.refuse?.(why),
  };
}

/** The error if no slot is free. */
export function noSlot(): TcpError {
  return new TcpError("CONNECTION_REFUSED", "the connection limit is reached");
}

/** The connection or flow was ended because another client needed its slot. */
export class EvictedError extends TcpError {
  constructor() {
    super("INSUFFICIENT_RESOURCES", "evicted in favour of another client");
  }
}

/** Clients without an IP address, such as those of a Unix socket, count as one. */
function addressOf(hostname: string): IpAddress {
  return IpAddress.parse(hostname) ?? IpAddress.ANY_V4;
}
