/**
 * Address resolution and neighbor unreachability detection.
 *
 * @module
 */
import type { OutgoingPacket } from "../../../core/stack/link.ts";
import type { IpAddress } from "../../../core/wire/address.ts";
import { HeldPacket } from "../decorators/held_packet.ts";
import { Neighbor, NeighborCache } from "./neighbor.ts";

/** RFC 4861 10, in milliseconds; used for IPv4 too. */
const REACHABLE_TIME = 30_000;
const DELAY_FIRST_PROBE_TIME = 5_000;
const RETRANS_TIMER = 1_000;
const MAX_SOLICITATIONS = 3;

/** Maximum number of unresolved neighbors, which bounds the requests caused by an address scan. */
const MAX_INCOMPLETE = 128;
/**
 * An unresolved neighbor may be evicted after this time, in milliseconds; neighbors on a link
 * answer sooner.
 */
const MIN_INCOMPLETE_TIME = 100;
/** Maximum number of packets queued for one neighbor; RFC 1122 2.3.2.2 requires at least one. */
const MAX_WAITING = 16;
/** Maximum number of bytes queued for all neighbors. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** Kind of message that claims an address. */
export type NeighborClaim =
  | "reply" // solicited, without the override flag
  | "override" // solicited, with the override flag
  | "request" // a request to this station
  | "claim"; // unsolicited, to all

/** Actions that the resolver triggers. */
export interface ResolverHooks {
  /** Sends a request for the neighbor, to the station `mac` or to all. */
  ask(neighbor: Neighbor, mac: number | undefined): void;
  /** Sends a queued packet. */
  release(packet: OutgoingPacket, neighbor: Neighbor): void;
  /** Schedules a call of `handleTimeout()`. */
  schedule(at: number): void;
  /** Drops a queued packet, because the queue is full or the neighbor did not answer. */
  drop(packet: OutgoingPacket, neighbor: Neighbor, reason: "waiting" | "unreachable"): void;
}

/** The state machine of RFC 4861 7.3.2; the time is an argument. */
export class Resolver {
  readonly #cache: NeighborCache;
  readonly #hooks: ResolverHooks;
  /** Neighbors in INCOMPLETE, DELAY or PROBE. */
  readonly #timed = new Set<Neighbor>();
  #incomplete = 0;
  #waitingBytes = 0;

  constructor(limit: number, hooks: ResolverHooks) {
    this.#cache = new NeighborCache(limit, (evicted) => this.#timed.delete(evicted));
    this.#hooks = hooks;
  }

  /** Neighbors of every state. */
  get neighbors(): Iterable<Neighbor> {
    return this.#cache.values();
  }

  find(address: IpAddress): Neighbor | undefined {
    return this.#cache.find(address);
  }

  /** Adds a permanent neighbor. */
  setPermanent(address: IpAddress, mac: number): void {
    const neighbor = new Neighbor(address, address, 0);
    neighbor.state = "PERMANENT";
    neighbor.mac = mac;
    this.#cache.add(neighbor);
  }

  /** The neighbor with this address if it is resolved, otherwise `undefined`. */
  known(w0: number, w1: number, w2: number, w3: number, now: number): Neighbor | undefined {
    const neighbor = this.#cache.findWords(w0, w1, w2, w3);
    if (neighbor === undefined || neighbor.state === "INCOMPLETE") return undefined;
    neighbor.usedAt = now;
    if (neighbor.state === "REACHABLE" && now >= neighbor.deadline) neighbor.state = "STALE";
    if (neighbor.state === "STALE") {
      neighbor.state = "DELAY";
      this.#setTimer(neighbor, now + DELAY_FIRST_PROBE_TIME);
    }
    return neighbor;
  }

  /**
   * Queues a packet until its neighbor is resolved; returns false if there is no room for another
   * neighbor.
   */
  wait(address: IpAddress, source: IpAddress, packet: OutgoingPacket, now: number): boolean {
    const neighbor = this.#cache.find(address) ?? this.#begin(address, source, now);
    if (neighbor === undefined) return false;
    if (packet.byteLength > MAX_WAITING_BYTES - this.#waitingBytes) {
      this.#hooks.drop(packet, neighbor, "waiting");
      return true;
    }
    // RFC 1122 2.3.2.2: the latest packets are kept.
    if (neighbor.waiting.length >= MAX_WAITING) {
      this.#hooks.drop(this.#take(neighbor), neighbor, "waiting");
    }
    const held = new HeldPacket();
    held.hold(packet, packet.checksumPartial ? "partial" : "full");
    neighbor.waiting.push(held);
    this.#waitingBytes += held.byteLength;
    return true;
  }

  #begin(address: IpAddress, source: IpAddress, now: number): Neighbor | undefined {
    if (this.#incomplete >= MAX_INCOMPLETE && !this.#makeRoom(now)) return undefined;
    const neighbor = new Neighbor(address, source, now);
    if (!this.#cache.add(neighbor)) return undefined;
    this.#incomplete++;
    this.#ask(neighbor, now);
    return neighbor;
  }

  /**
   * Evicts an unresolved neighbor, so that silent addresses do not block the resolution of others.
   */
  #makeRoom(now: number): boolean {
    for (const neighbor of this.#cache.values()) {
      if (neighbor.state !== "INCOMPLETE") continue;
      // The cache is ordered by age.
      if (now - neighbor.usedAt < MIN_INCOMPLETE_TIME) return false;
      this.#forget(neighbor, "waiting");
      return true;
    }
    return false;
  }

  /**
   * Processes a claim that `address` is at `mac`. Only solicited answers and requests update the
   * cache, and a known station is not replaced while it answers.
   *
   * @returns False if the claim was ignored.
   */
  handleClaim(
    address: IpAddress,
    mac: number,
    claim: NeighborClaim,
    own: IpAddress,
    now: number,
  ): boolean {
    const neighbor = this.#cache.find(address);
    if (neighbor === undefined) return this.#learnRequester(address, mac, claim, own, now);
    if (neighbor.state === "PERMANENT") return neighbor.mac === mac;
    if (claim === "request") return this.#handleRequest(neighbor, mac, now);
    return claim !== "claim" && this.#awaitsReply(neighbor, mac)
      ? this.#handleReply(neighbor, mac, now)
      : this.#updateEntry(neighbor, mac, claim, now);
  }

  /**
   * Whether `mac` was asked: in PROBE the request is unicast, so only the known station can answer.
   */
  #awaitsReply(neighbor: Neighbor, mac: number): boolean {
    return neighbor.state === "INCOMPLETE" || (neighbor.state === "PROBE" && neighbor.mac === mac);
  }

  /**
   * Learns a station that sends a request, since it will need an answer (RFC 826, RFC 4861 7.2.3).
   */
  #learnRequester(
    address: IpAddress,
    mac: number,
    claim: NeighborClaim,
    own: IpAddress,
    now: number,
  ): boolean {
    if (claim !== "request") return claim === "claim";
    const neighbor = new Neighbor(address, own, now);
    neighbor.mac = mac;
    neighbor.state = "STALE";
    this.#cache.add(neighbor);
    return true;
  }

  #handleRequest(neighbor: Neighbor, mac: number, now: number): boolean {
    if (neighbor.state === "INCOMPLETE") {
      this.#become(neighbor, "STALE", mac);
      this.#release(neighbor);
      return true;
    }
    return this.#updateEntry(neighbor, mac, "request", now);
  }

  #handleReply(neighbor: Neighbor, mac: number, now: number): boolean {
    this.#become(neighbor, "REACHABLE", mac);
    neighbor.deadline = now + REACHABLE_TIME;
    neighbor.wasConfirmed = true;
    this.#release(neighbor);
    if (neighbor.claimant !== 0) this.#settle(neighbor, now);
    return true;
  }

  /** Handles an unsolicited claim: if it contradicts the cache, the known neighbor is probed. */
  #updateEntry(neighbor: Neighbor, mac: number, claim: NeighborClaim, now: number): boolean {
    if (neighbor.mac === mac) return true;
    // RFC 4861 7.2.5: without the override flag, the cache is not changed.
    if (claim !== "reply" && neighbor.state !== "INCOMPLETE") this.#verify(neighbor, mac, now);
    return false;
  }

  /**
   * Probes the known neighbor once, and drops it if it does not answer. The claimant is probed too; as
   * long as both answer, probing goes on.
   */
  #verify(neighbor: Neighbor, claimant: number, now: number): void {
    if (neighbor.claimant !== 0) return;
    neighbor.claimant = claimant;
    if (neighbor.state !== "PROBE") this.#settle(neighbor, now);
  }

  /**
   * Sends one request to all, no earlier than one second after the last confirmation (RFC 1122
   * 2.3.2.1).
   */
  #settle(neighbor: Neighbor, now: number): void {
    const isFresh = neighbor.state === "REACHABLE" && now < neighbor.deadline;
    const earliest = isFresh ? neighbor.deadline - REACHABLE_TIME + RETRANS_TIMER : now;
    neighbor.state = "DELAY";
    neighbor.solicitations = MAX_SOLICITATIONS - 1;
    this.#setTimer(neighbor, earliest);
    if (earliest <= now) this.#probe(neighbor, now);
  }

  #probe(neighbor: Neighbor, now: number): void {
    neighbor.state = "PROBE";
    this.#ask(neighbor, now);
  }

  #become(neighbor: Neighbor, state: "STALE" | "REACHABLE", mac: number): void {
    if (neighbor.state === "INCOMPLETE") this.#incomplete--;
    this.#timed.delete(neighbor);
    neighbor.state = state;
    neighbor.mac = mac;
    neighbor.solicitations = 0;
  }

  #release(neighbor: Neighbor): void {
    while (neighbor.waiting.length > 0) this.#hooks.release(this.#take(neighbor), neighbor);
  }

  #take(neighbor: Neighbor): HeldPacket {
    const packet = neighbor.waiting.shift()!;
    this.#waitingBytes -= packet.byteLength;
    return packet;
  }

  /** Sends the requests that are due, and gives up on neighbors that did not answer. */
  handleTimeout(now: number): void {
    for (const neighbor of [...this.#timed]) {
      if (neighbor.deadline > now) {
        this.#hooks.schedule(neighbor.deadline);
        continue;
      }
      if (neighbor.state === "DELAY") this.#probe(neighbor, now);
      else if (neighbor.solicitations < MAX_SOLICITATIONS) this.#ask(neighbor, now);
      else this.#forget(neighbor, "unreachable");
    }
  }

  #ask(neighbor: Neighbor, now: number): void {
    neighbor.solicitations++;
    this.#setTimer(neighbor, now + RETRANS_TIMER);
    if (neighbor.state === "INCOMPLETE") return this.#hooks.ask(neighbor, undefined);
    const { mac, claimant } = neighbor;
    neighbor.claimant = 0;
    this.#hooks.ask(neighbor, mac);
    if (claimant !== 0) this.#hooks.ask(neighbor, claimant);
  }

  #setTimer(neighbor: Neighbor, at: number): void {
    neighbor.deadline = at;
    this.#timed.add(neighbor);
    this.#hooks.schedule(at);
  }

  #forget(neighbor: Neighbor, reason: "waiting" | "unreachable"): void {
    if (neighbor.state === "INCOMPLETE") this.#incomplete--;
    this.#timed.delete(neighbor);
    this.#cache.remove(neighbor);
    while (neighbor.waiting.length > 0) {
      this.#hooks.drop(this.#take(neighbor), neighbor, reason);
    }
  }

  /** Drops the queued packets. */
  close(): void {
    for (const neighbor of this.#timed) neighbor.waiting.length = 0;
    this.#timed.clear();
    this.#waitingBytes = 0;
  }
}
