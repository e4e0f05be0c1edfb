/**
 * A limit that many clients share.
 *
 * @module
 */
import { Sources } from "../../core/buffers/sources.ts";
import { TcpError } from "../../core/api/errors.ts";
import { IpAddress } from "../../core/wire/address.ts";
import type { DatagramChannel } from "./host_network.ts";
import type { Duplex } from "./relay.ts";
import { whenEnded } from "./upstream.ts";

/** A client keeps as many as these whoever else comes, or a quarter of a small limit. */
const FEW = 64;
const SHARE = 4;

/** What one client holds of a {@link SharedLimit}. */
export interface Slot {
  /** Frees it; again: nothing happens. */
  leave(): void;
  /** It was used: of those that give way to anybody it is the last. */
  touch(): void;
}

class Entry implements Slot {
  readonly remote: IpAddress;
  readonly evict: () => void;
  readonly givesWay: boolean;
  readonly #limit: SharedLimit;

  constructor(limit: SharedLimit, remote: IpAddress, evict: () => void, givesWay: boolean) {
    this.#limit = limit;
    this.remote = remote;
    this.evict = evict;
    this.givesWay = givesWay;
  }

  leave(): void {
    this.#limit.delete(this);
  }

  touch(): void {
    this.#limit.touch(this);
  }
}

/** How {@link SharedLimit.enter} treats what it lets in. */
export interface SlotOptions {
  /**
   * Gives way to the client's own next one, and to anybody's when no client has many; the one longest
   * unused first. For datagrams, whose senders may be forged. Default `false`.
   */
  readonly givesWay?: boolean | undefined;
}

/**
 * Lets in `limit` connections or flows at once. When all slots are taken, the client that has the most,
 * an IPv4 address or an IPv6 /64, loses its oldest to a client that has fewer. The client that has the
 * most is refused itself, and so is everybody when no client has many.
 */
export class SharedLimit {
  readonly #limit: number;
  readonly #sources: Sources<Entry>;
  readonly #givingWay = new Set<Entry>();
  #size = 0;

  /** `limit` is 1 or more. */
  constructor(limit: number) {
    this.#limit = limit;
    this.#sources = new Sources(Math.min(FEW, Math.max(1, Math.floor(limit / SHARE))));
  }

  /** How many are in. */
  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= this.#limit;
  }

  /** Whether {@link SharedLimit.enter} would find a slot. */
  admits(hostname: string, { givesWay = false }: SlotOptions = {}): boolean {
    return !this.isFull || this.#evictable(addressOf(hostname), givesWay) !== undefined;
  }

  /**
   * Takes a slot for the client at `hostname`; `evict` is called if it has to make room for another
   * client, and the slot is free then. `undefined`: there is none.
   */
  enter(
    hostname: string,
    evict: () => void,
    { givesWay = false }: SlotOptions = {},
  ): Slot | undefined {
    const remote = addressOf(hostname);
    if (this.isFull) {
      const evicted = this.#evictable(remote, givesWay);
      if (evicted === undefined) return undefined;
      evicted.leave();
      evicted.evict();
    }
    const entry = new Entry(this, remote, evict, givesWay);
    this.#size++;
    this.#sources.add(entry);
    if (givesWay) this.#givingWay.add(entry);
    return entry;
  }

  /**
   * Makes a connection for the client at `hostname`, whose slot is free once the connection has ended;
   * aborts it, or gives up the attempt, if it has to make room.
   *
   * @throws {TcpError} There is no slot.
   * @throws What `dial` throws.
   */
  async connect(
    hostname: string,
    signal: AbortSignal,
    dial: (signal: AbortSignal) => Promise<Duplex>,
  ): Promise<Duplex> {
    const evicted = new AbortController();
    let upstream: Duplex | undefined = undefined;
    const slot = this.enter(hostname, () => {
      evicted.abort(madeRoom());
      upstream?.abort(evicted.signal.reason);
    });
    if (slot === undefined) throw noSlot();
    const both = AbortSignal.any([signal, evicted.signal]);
    upstream = await whenEnded(dial(both), () => slot.leave());
    if (evicted.signal.aborted) upstream.abort(evicted.signal.reason);
    return upstream;
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

  #evictable(newcomer: IpAddress, givesWay: boolean): Entry | undefined {
    const largest = this.#sources.largest();
    const own = this.#sources.of(newcomer).items;
    // With only one less the two would take turns.
    if (largest !== undefined && own.size + 1 < largest.items.size) return first(largest.items);
    const unused = largest === undefined ? first(this.#givingWay) : first(own);
    if (unused === undefined || !unused.givesWay) return undefined;
    return largest === undefined || givesWay ? unused : undefined;
  }
}

function first<T>([one]: ReadonlySet<T>): T | undefined {
  return one;
}

/** Datagrams of this channel, either way, use its slot. */
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

/** Why there is no slot for a connection. */
export function noSlot(): TcpError {
  return new TcpError("CONNECTION_REFUSED", "there are as many connections as there may be");
}

function madeRoom(): TcpError {
  return new TcpError(
    "INSUFFICIENT_RESOURCES",
    "made room for another client: this one has the most connections",
  );
}

/** Clients without an IP address, such as those of a Unix socket, are one source. */
function addressOf(hostname: string): IpAddress {
  return IpAddress.parse(hostname) ?? IpAddress.ANY_V4;
}
