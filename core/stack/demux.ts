/**
 * Which connection, or which listener, a segment belongs to.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";
import type { IpHeader } from "../wire/ip.ts";
import type { Segment } from "../wire/tcp.ts";
import type { Tcb } from "../tcp/tcb.ts";
import type { Listener } from "./listener.ts";
import { Places } from "./places.ts";

const FIRST_BUCKETS = 256;

/** Connections by their two addresses and ports, listeners by place. */
export class Demux {
  readonly listeners: Places<Listener> = new Places();
  #buckets: (Tcb | undefined)[] = new Array(FIRST_BUCKETS).fill(undefined);
  #count = 0;
  /** Makes the order of buckets unknown to peers. */
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Connections in the table. */
  get count(): number {
    return this.#count;
  }

  /** The connection of a received segment. */
  find(ip: IpHeader, segment: Segment): Tcb | undefined {
    const hash = mix(
      this.#seed,
      ip.s0 ^ ip.s1 ^ ip.s2 ^ ip.s3,
      ip.d0 ^ ip.d1 ^ ip.d2 ^ ip.d3,
      (segment.sourcePort << 16) | segment.destinationPort,
    );
    let tcb = this.#buckets[hash & (this.#buckets.length - 1)];
    while (tcb !== undefined && !isOf(tcb, hash, ip, segment)) tcb = tcb.hashNext;
    return tcb;
  }

  /** The connection between two sockets' addresses. */
  get(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Tcb | undefined {
    const hash = this.#hash(local, localPort, remote, remotePort);
    let tcb = this.#buckets[hash & (this.#buckets.length - 1)];
    while (tcb !== undefined) {
      const same = tcb.hash === hash && tcb.localPort === localPort &&
        tcb.remotePort === remotePort && tcb.local.equals(local) && tcb.remote.equals(remote);
      if (same) return tcb;
      tcb = tcb.hashNext;
    }
    return undefined;
  }

  add(tcb: Tcb): void {
    if (this.#count >= this.#buckets.length) this.#grow();
    tcb.hash = this.#hash(tcb.local, tcb.localPort, tcb.remote, tcb.remotePort);
    this.#insert(tcb);
    this.#count++;
  }

  remove(tcb: Tcb): void {
    const index = tcb.hash & (this.#buckets.length - 1);
    let at = this.#buckets[index];
    if (at === tcb) {
      this.#buckets[index] = tcb.hashNext;
    } else {
      while (at !== undefined && at.hashNext !== tcb) at = at.hashNext;
      if (at === undefined) return;
      at.hashNext = tcb.hashNext;
    }
    tcb.hashNext = undefined;
    this.#count--;
  }

  /** Every connection, in no order; the table may change meanwhile. */
  connections(): Tcb[] {
    const all: Tcb[] = [];
    for (const first of this.#buckets) {
      for (let tcb = first; tcb !== undefined; tcb = tcb.hashNext) all.push(tcb);
    }
    return all;
  }

  /** The most specific listener for a received segment. */
  findListener(ip: IpHeader, port: number): Listener | undefined {
    return this.listeners.find(ip.d0, ip.d1, ip.d2, ip.d3, port);
  }

  #hash(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    return mix(
      this.#seed,
      remote.w0 ^ remote.w1 ^ remote.w2 ^ remote.w3,
      local.w0 ^ local.w1 ^ local.w2 ^ local.w3,
      (remotePort << 16) | localPort,
    );
  }

  #insert(tcb: Tcb): void {
    const index = tcb.hash & (this.#buckets.length - 1);
    tcb.hashNext = this.#buckets[index];
    this.#buckets[index] = tcb;
  }

  #grow(): void {
    const all = this.connections();
    this.#buckets = new Array(this.#buckets.length * 2).fill(undefined);
    for (const tcb of all) this.#insert(tcb);
  }
}

function isOf(tcb: Tcb, hash: number, ip: IpHeader, segment: Segment): boolean {
  const { local, remote } = tcb;
  return tcb.hash === hash && tcb.localPort === segment.destinationPort &&
    tcb.remotePort === segment.sourcePort &&
    remote.w3 === ip.s3 && local.w3 === ip.d3 && remote.w2 === ip.s2 && local.w2 === ip.d2 &&
    remote.w1 === ip.s1 && local.w1 === ip.d1 && remote.w0 === ip.s0 && local.w0 === ip.d0;
}

/** Spreads two addresses, as exclusive or of their words, and two ports over 32 bits. */
export function mix(seed: number, a: number, b: number, ports: number): number {
  let h = seed ^ Math.imul(a, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca77) ^ b;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae3d) ^ ports;
  h = Math.imul(h ^ (h >>> 16), 0x27d4eb2f);
  return h ^ (h >>> 15);
}
