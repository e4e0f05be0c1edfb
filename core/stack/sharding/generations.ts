/**
 * Generations: while a service is upgraded, several processes run its stack on one device. The newest process receives
 * every packet. It has the connections opened since it took over, and passes packets of earlier connections to the
 * process that has them.
 *
 * @module
 */
import { Queue } from "../../buffers/queue.ts";
import { IpAddress } from "../../wire/address.ts";
import { type IpHeader, PROTOCOL } from "../../wire/ip.ts";
import { EndpointTable, type TableEntry } from "../endpoint_table.ts";
import type { QuotedPacket } from "../icmp/quoted.ts";
import type { OwnAddresses } from "../ip/own_addresses.ts";
import { EPHEMERAL_PORTS_FROM } from "../ports.ts";

/** The destination of a packet for the process that receives the device's packets. */
export const NEWEST = 0;
/** In {@link GenerationPacket.asked}: no process has been asked yet. */
export const NO_PROCESS_ASKED: number = 2 ** 32 - 1;
/** In {@link GenerationPacket.asked}: no other process has to be asked. */
export const ALL_ASKED = 0;
/** Maximum number of processes of a service, which divide the ephemeral ports among themselves. */
export const MAX_GENERATIONS = 16;
/** Maximum number of connections, flows and ports that a process records of earlier ones. */
export const MAX_EARLIER_ENDPOINTS: number = 1024 * 1024;

/** A packet for another process. Its checksum has been verified. */
export interface GenerationPacket {
  /** The number of that process, or {@link NEWEST}. */
  readonly generation: number;
  /** The number of the process that was asked last; processes are asked in descending order of their numbers. */
  readonly asked: number;
  /** A whole IP packet in memory of its own. */
  readonly packet: Uint8Array<ArrayBuffer>;
  /** Payload bytes per segment if it is a super-packet; otherwise 0. */
  readonly segmentSize: number;
}

/** A connection or flow, or with remote port 0 a UDP port, and the process that has it. */
export interface GenerationEndpoint {
  /** TCP or UDP. */
  readonly protocol: number;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly generation: number;
  /** Set if the connection has been taken over from another instance: the instance that its segments identify. */
  readonly mark?: number | undefined;
}

/** The tables of a stack. */
export interface GenerationTables {
  readonly own: OwnAddresses;
  /** Every connection and flow, and UDP ports that were chosen by the stack. */
  endpoints(): Iterable<Omit<GenerationEndpoint, "generation">>;
  /** An earlier process has a connection of another instance, which only the newest process can announce. */
  announce(connection: GenerationEndpoint & { readonly mark: number }): void;
  /** The connection has ended there, or moved here. */
  withdraw(connection: GenerationEndpoint & { readonly mark: number }): void;
}

/** Which process has which connections, flows and ports; one object per stack, shared with its link. */
export class Generations {
  /** The number of this process, counted from 1. */
  readonly number: number;
  /**
   * `asked` of the packets that the link's last `receive()` returned: {@link NO_PROCESS_ASKED} for packets of the
   * device. The link sets it in each `receive()`.
   */
  asked: number = NO_PROCESS_ASKED;
  /** Whether a newer process receives the device's packets. */
  isRetired = false;
  #tables: GenerationTables | undefined;
  /** Earlier processes, the newest first. */
  #earlier: number[] = [];
  readonly #connections: EndpointTable<EarlierEndpoint>;
  readonly #flows: EndpointTable<EarlierEndpoint>;
  /** UDP ports that earlier processes have chosen. */
  readonly #ports = new Map<number, number>();
  /** Bounded by the number of packets received since it was last drained. */
  readonly #outgoing = new Queue<GenerationPacket>();

  /** `seed` keeps peers from predicting hash collisions. */
  constructor(number: number, seed: number) {
    this.number = number;
    this.#connections = new EndpointTable(seed);
    this.#flows = new EndpointTable(seed);
  }

  /** Sets the tables of the stack. */
  attach(tables: GenerationTables): void {
    this.#tables = tables;
  }

  /** Numbers of the earlier processes that still run. */
  get earlier(): readonly number[] {
    return this.#earlier;
  }

  /** Number of connections, flows and ports of earlier processes. */
  get endpointCount(): number {
    return this.#connections.count + this.#flows.count + this.#ports.size;
  }

  /** An earlier process still has connections. */
  addEarlier(generation: number): void {
    this.#earlier = [...this.#earlier, generation].sort((a, b) => b - a);
  }

  /** An earlier process has ended. */
  removeEarlier(generation: number): void {
    this.#earlier = this.#earlier.filter((each) => each !== generation);
    for (const table of [this.#connections, this.#flows]) {
      for (const entry of table.all()) {
        if (entry.generation === generation) this.#drop(table, entry);
      }
    }
    for (const [port, owner] of this.#ports) if (owner === generation) this.#ports.delete(port);
  }

  /** The endpoints of this process and of earlier ones, for the process that takes over. */
  *endpoints(): Generator<GenerationEndpoint> {
    for (const one of this.#tables?.endpoints() ?? []) {
      yield { ...one, generation: this.number };
    }
    yield* this.#connections.all();
    yield* this.#flows.all();
    for (const [localPort, generation] of this.#ports) {
      const any = IpAddress.ANY_V4;
      const { UDP: protocol } = PROTOCOL;
      yield { protocol, local: any, localPort, remote: any, remotePort: 0, generation };
    }
  }

  /**
   * Records an endpoint of an earlier process. Beyond {@link MAX_EARLIER_ENDPOINTS} nothing is recorded, and
   * {@link offer} finds the process.
   */
  learn(endpoint: GenerationEndpoint): void {
    if (this.endpointCount >= MAX_EARLIER_ENDPOINTS) return;
    const { protocol, local, localPort, remote, remotePort, generation } = endpoint;
    if (remotePort === 0) return void this.#ports.set(localPort, generation);
    const table = protocol === PROTOCOL.UDP ? this.#flows : this.#connections;
    const known = table.get(local, localPort, remote, remotePort);
    if (known !== undefined) this.#drop(table, known);
    const entry = { ...endpoint, hash: 0, hashNext: undefined };
    table.add(entry);
    if (hasMark(entry)) this.#tables?.announce(entry);
  }

  #drop(table: EndpointTable<EarlierEndpoint>, entry: EarlierEndpoint): void {
    table.remove(entry);
    if (hasMark(entry)) this.#tables?.withdraw(entry);
  }

  /**
   * A connection of an earlier process has moved to this one. Returns whether that process had taken it over from
   * another instance.
   */
  forget(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): boolean {
    const known = this.#connections.get(local, localPort, remote, remotePort);
    if (known === undefined) return false;
    this.#drop(this.#connections, known);
    return hasMark(known);
  }

  /**
   * Queues a packet that matches no connection or flow of this process, if another process has to handle it. Returns
   * false if this process has to handle it.
   */
  forward(
    ip: IpHeader,
    remotePort: number,
    localPort: number,
    packet: Uint8Array,
    segmentSize: number,
  ): boolean {
    if (this.#isOwn(ip)) return false;
    if (this.isRetired) return this.#push(NEWEST, this.asked, ip, packet, segmentSize);
    const table = ip.protocol === PROTOCOL.UDP ? this.#flows : this.#connections;
    return this.#pushToOwner(table, table.find(ip, remotePort, localPort), ip, packet, segmentSize);
  }

  /** {@link forward} for an ICMP error that quotes `quoted`. */
  forwardError(ip: IpHeader, quoted: QuotedPacket, packet: Uint8Array): boolean {
    if (this.#isOwn(ip)) return false;
    if (this.isRetired) return this.#push(NEWEST, this.asked, ip, packet, 0);
    const table = quoted.protocol === PROTOCOL.UDP ? this.#flows : this.#connections;
    const { local, localPort, remote, remotePort } = quoted;
    const entry = table.get(local, localPort, remote, remotePort);
    return this.#pushToOwner(table, entry, ip, packet, 0) || this.offer(ip, packet, 0);
  }

  /**
   * Queues a packet that this process would refuse for the next earlier process, which may have opened a connection or
   * a port that is not recorded here. Returns false if there is no such process.
   */
  offer(ip: IpHeader, packet: Uint8Array, segmentSize: number): boolean {
    if (this.#earlier.length === 0 || this.isRetired || this.#isOwn(ip)) return false;
    const next = this.#earlier.find((each) => each < this.asked);
    return next !== undefined && this.#push(next, next, ip, packet, segmentSize);
  }

  /** Whether this process may choose an ephemeral port. */
  isOurPort(port: number): boolean {
    if (this.isRetired) return sliceOf(port) === this.number % MAX_GENERATIONS;
    if (this.#earlier.length === 0) return true;
    return !this.#ports.has(port) &&
      this.#earlier.every((each) => each % MAX_GENERATIONS !== sliceOf(port));
  }

  /** {@link isOurPort} for a connection. */
  isOurs(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): boolean {
    if (localPort < EPHEMERAL_PORTS_FROM) return true;
    return this.isOurPort(localPort) &&
      this.#connections.get(local, localPort, remote, remotePort) === undefined;
  }

  /** Removes the next packet for another process. */
  next(): GenerationPacket | undefined {
    return this.#outgoing.shift();
  }

  /** Packets of a stack to itself stay there. */
  #isOwn(ip: IpHeader): boolean {
    return this.#tables!.own.hasWords(ip.s0, ip.s1, ip.s2, ip.s3);
  }

  /** Queues the packet for the process that has `entry`, unless that process returned it: the connection has ended. */
  #pushToOwner(
    table: EndpointTable<EarlierEndpoint>,
    entry: EarlierEndpoint | undefined,
    ip: IpHeader,
    packet: Uint8Array,
    segmentSize: number,
  ): boolean {
    if (entry === undefined) return false;
    if (this.asked === NO_PROCESS_ASKED) {
      return this.#push(entry.generation, ALL_ASKED, ip, packet, segmentSize);
    }
    this.#drop(table, entry);
    return false;
  }

  #push(
    generation: number,
    asked: number,
    ip: IpHeader,
    packet: Uint8Array,
    segmentSize: number,
  ): true {
    const whole = packet.slice(0, ip.payloadEnd);
    this.#outgoing.push({ generation, asked, packet: whole, segmentSize });
    return true;
  }
}

interface EarlierEndpoint extends GenerationEndpoint, TableEntry<EarlierEndpoint> {}

function hasMark<T extends GenerationEndpoint>(entry: T): entry is T & { readonly mark: number } {
  return entry.mark !== undefined;
}

/** The number, modulo {@link MAX_GENERATIONS}, of the process that may choose a port. */
function sliceOf(port: number): number {
  return (port >>> 6) % MAX_GENERATIONS;
}
