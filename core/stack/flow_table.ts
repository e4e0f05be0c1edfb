/**
 * Which flow a datagram belongs to.
 *
 * @module
 */
import type { Flow } from "../udp/flow.ts";
import type { IpAddress } from "../wire/address.ts";
import type { IpHeader } from "../wire/ip.ts";
import { mix } from "./demux.ts";

const FIRST_BUCKETS = 64;

/** Flows by their two addresses and ports. */
export class FlowTable {
  #buckets: (Flow | undefined)[] = new Array(FIRST_BUCKETS).fill(undefined);
  #count = 0;
  /** Makes the order of buckets unknown to peers. */
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  get count(): number {
    return this.#count;
  }

  /** The flow of a received datagram. */
  find(ip: IpHeader, remotePort: number, localPort: number): Flow | undefined {
    const hash = mix(
      this.#seed,
      ip.s0 ^ ip.s1 ^ ip.s2 ^ ip.s3,
      ip.d0 ^ ip.d1 ^ ip.d2 ^ ip.d3,
      (remotePort << 16) | localPort,
    );
    let flow = this.#first(hash);
    while (flow !== undefined && !isOf(flow, ip, remotePort, localPort)) flow = flow.hashNext;
    return flow;
  }

  /** The flow between two sockets' addresses. */
  get(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ): Flow | undefined {
    let flow = this.#first(this.#hash(local, localPort, remote, remotePort));
    while (flow !== undefined) {
      const same = flow.localPort === localPort && flow.remotePort === remotePort &&
        flow.local.equals(local) && flow.remote.equals(remote);
      if (same) return flow;
      flow = flow.hashNext;
    }
    return undefined;
  }

  add(flow: Flow): void {
    if (this.#count >= this.#buckets.length) this.#grow();
    flow.hash = this.#hash(flow.local, flow.localPort, flow.remote, flow.remotePort);
    this.#insert(flow);
    this.#count++;
  }

  remove(flow: Flow): void {
    const index = flow.hash & (this.#buckets.length - 1);
    let at = this.#buckets[index];
    if (at === flow) {
      this.#buckets[index] = flow.hashNext;
    } else {
      while (at !== undefined && at.hashNext !== flow) at = at.hashNext;
      if (at === undefined) return;
      at.hashNext = flow.hashNext;
    }
    flow.hashNext = undefined;
    this.#count--;
  }

  /** Every flow, in no order; the table may change meanwhile. */
  all(): Flow[] {
    const all: Flow[] = [];
    for (const first of this.#buckets) {
      for (let flow = first; flow !== undefined; flow = flow.hashNext) all.push(flow);
    }
    return all;
  }

  #first(hash: number): Flow | undefined {
    return this.#buckets[hash & (this.#buckets.length - 1)];
  }

  #hash(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): number {
    return mix(
      this.#seed,
      remote.w0 ^ remote.w1 ^ remote.w2 ^ remote.w3,
      local.w0 ^ local.w1 ^ local.w2 ^ local.w3,
      (remotePort << 16) | localPort,
    );
  }

  #insert(flow: Flow): void {
    const index = flow.hash & (this.#buckets.length - 1);
    flow.hashNext = this.#buckets[index];
    this.#buckets[index] = flow;
  }

  #grow(): void {
    const all = this.all();
    this.#buckets = new Array(this.#buckets.length * 2).fill(undefined);
    for (const flow of all) this.#insert(flow);
  }
}

function isOf(flow: Flow, ip: IpHeader, remotePort: number, localPort: number): boolean {
  const { local, remote } = flow;
  return flow.localPort === localPort && flow.remotePort === remotePort &&
    remote.w3 === ip.s3 && local.w3 === ip.d3 && remote.w2 === ip.s2 && local.w2 === ip.d2 &&
    remote.w1 === ip.s1 && local.w1 === ip.d1 && remote.w0 === ip.s0 && local.w0 === ip.d0;
}
