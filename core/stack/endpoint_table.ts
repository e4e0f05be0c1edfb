/**
 * Hash table of connections or flows by 4-tuple.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";
import { halfSipHash } from "../wire/half_siphash.ts";
import type { IpHeader } from "../wire/ip.ts";

const FIRST_BUCKETS = 256;
/**
 * Maximum number of entries in a bucket before the hash is replaced. With at most one entry for each bucket on average,
 * random entries exceed this with a probability of 10^-20, so a peer must have chosen them.
 */
const MAX_CHAIN = 20;

/** A connection or flow between two addresses and ports. */
export interface TableEntry<Entry> {
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  /** Used by the table. */
  hash: number;
  /** Used by the table: the next entry of the same bucket. */
  hashNext: Entry | undefined;
}

/**
 * Connections or flows by 4-tuple. The first hash is fast, but a peer with many addresses can choose them so that all
 * have the same hash. Once a chain has become too long, the table changes to a keyed hash, which a peer cannot predict.
 */
export class EndpointTable<Entry extends TableEntry<Entry>> {
  #buckets: (Entry | undefined)[] = new Array(FIRST_BUCKETS).fill(undefined);
  #count = 0;
  /** Keeps peers from predicting hash collisions. */
  readonly #seed: number;
  #isKeyed = false;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Number of entries. */
  get count(): number {
    return this.#count;
  }

  /** The entry for a received packet. */
  find(ip: IpHeader, remotePort: number, localPort: number): Entry | undefined {
    const ports = (remotePort << 16) | localPort;
    const { s0, s1, s2, s3, d0, d1, d2, d3 } = ip;
    const hash = this.#isKeyed
      ? keyed(this.#seed, [s0, s1, s2, s3, d0, d1, d2, d3, ports])
      : mix(this.#seed, s0 ^ s1 ^ s2 ^ s3, d0 ^ d1 ^ d2 ^ d3, ports);
    let entry = this.#first(hash);
    while (entry !== undefined && !isOf(entry, hash, ip, remotePort, localPort)) {
      entry = entry.hashNext;
    }
    return entry;
  }

  /** The entry for a 4-tuple. */
  get(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ): Entry | undefined {
    const hash = this.#hash(local, localPort, remote, remotePort);
    let entry = this.#first(hash);
    while (entry !== undefined) {
      const same = entry.hash === hash && entry.localPort === localPort &&
        entry.remotePort === remotePort &&
        entry.local.equals(local) && entry.remote.equals(remote);
      if (same) return entry;
      entry = entry.hashNext;
    }
    return undefined;
  }

  add(entry: Entry): void {
    if (this.#count >= this.#buckets.length) this.#grow();
    entry.hash = this.#hash(entry.local, entry.localPort, entry.remote, entry.remotePort);
    this.#insert(entry);
    this.#count++;
    if (!this.#isKeyed && isLonger(entry, MAX_CHAIN)) this.#useKeyed();
  }

  remove(entry: Entry): void {
    const index = entry.hash & (this.#buckets.length - 1);
    let at = this.#buckets[index];
    if (at === entry) {
      this.#buckets[index] = entry.hashNext;
    } else {
      while (at !== undefined && at.hashNext !== entry) at = at.hashNext;
      if (at === undefined) return;
      at.hashNext = entry.hashNext;
    }
    entry.hashNext = undefined;
    this.#count--;
  }

  /** A snapshot of all entries, in no particular order. */
  all(): Entry[] {
    const all: Entry[] = [];
    for (const first of this.#buckets) {
      for (let entry = first; entry !== undefined; entry = entry.hashNext) all.push(entry);
    }
    return all;
  }

  #first(hash: number): Entry | undefined {
    return this.#buckets[hash & (this.#buckets.length - 1)];
  }

  #hash(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    const ports = (remotePort << 16) | localPort;
    const { w0, w1, w2, w3 } = remote;
    return this.#isKeyed
      ? keyed(this.#seed, [w0, w1, w2, w3, local.w0, local.w1, local.w2, local.w3, ports])
      : mix(this.#seed, w0 ^ w1 ^ w2 ^ w3, local.w0 ^ local.w1 ^ local.w2 ^ local.w3, ports);
  }

  #useKeyed(): void {
    const all = this.all();
    this.#isKeyed = true;
    this.#buckets.fill(undefined);
    for (const entry of all) {
      entry.hash = this.#hash(entry.local, entry.localPort, entry.remote, entry.remotePort);
      this.#insert(entry);
    }
  }

  #insert(entry: Entry): void {
    const index = entry.hash & (this.#buckets.length - 1);
    entry.hashNext = this.#buckets[index];
    this.#buckets[index] = entry;
  }

  #grow(): void {
    const all = this.all();
    this.#buckets = new Array(this.#buckets.length * 2).fill(undefined);
    for (const entry of all) this.#insert(entry);
  }
}

function isLonger<Entry extends TableEntry<Entry>>(first: Entry, length: number): boolean {
  let entry: Entry | undefined = first;
  for (let count = 0; count <= length && entry !== undefined; count++) entry = entry.hashNext;
  return entry !== undefined;
}

function isOf<Entry>(
  entry: TableEntry<Entry>,
  hash: number,
  ip: IpHeader,
  remotePort: number,
  localPort: number,
): boolean {
  const { local, remote } = entry;
  return entry.hash === hash && entry.localPort === localPort && entry.remotePort === remotePort &&
    remote.w3 === ip.s3 && local.w3 === ip.d3 && remote.w2 === ip.s2 && local.w2 === ip.d2 &&
    remote.w1 === ip.s1 && local.w1 === ip.d1 && remote.w0 === ip.s0 && local.w0 === ip.d0;
}

/**
 * Hashes two addresses, each reduced to the exclusive or of its words, and two ports to 32 bits.
 */
function mix(seed: number, a: number, b: number, ports: number): number {
  let h = seed ^ Math.imul(a, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca77) ^ b;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae3d) ^ ports;
  h = Math.imul(h ^ (h >>> 16), 0x27d4eb2f);
  return h ^ (h >>> 15);
}

/** Hashes all words. */
function keyed(seed: number, words: readonly number[]): number {
  return halfSipHash([seed, ~seed], words);
}
