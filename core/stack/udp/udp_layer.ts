/**
 * UDP of a stack (RFC 768): datagrams in and out, and the calls of sockets and flows.
 *
 * @module
 */
import { copyBytes } from "../../buffers/copy.ts";
import type { KeyedHash } from "../../tcp/isn.ts";
import type { UdpConfig } from "../../udp/config.ts";
import { type Datagram, QueueMemory } from "../../udp/datagram.ts";
import { NotificationQueue, type UdpNotified } from "../../udp/notification_queue.ts";
import { Flow, type FlowError, FlowPort, type FlowRefusal } from "../../udp/flow.ts";
import { UdpSocket } from "../../udp/socket.ts";
import { IpAddress } from "../../wire/address.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import type { IcmpMeaning } from "../../wire/icmp.ts";
import {
  type AnsweredHeader,
  emitIp,
  type IpHeader,
  ipHeaderLength,
  PROTOCOL,
} from "../../wire/ip.ts";
import {
  emitUdp,
  maxDatagramLength,
  parseUdp,
  UDP_HEADER_LENGTH,
  UdpHeader,
} from "../../wire/udp.ts";
import { type Binding, BindingTable } from "../binding_table.ts";
import type { QuotedPacket } from "../icmp/quoted.ts";
import type { OwnAddresses } from "../ip/own_addresses.ts";
import { PathMtus } from "../ip/path_mtus.ts";
import type { ChecksumState } from "../link.ts";
import { choosePort, EPHEMERAL_PORTS_FROM } from "../ports.ts";
import { destinationOf, type Packet, sourceOf } from "../replies.ts";
import type { BindRefusal } from "../requests.ts";
import type { Sharding } from "../sharding/shard.ts";
import type { Stats } from "../stats.ts";
import type { TransmitQueue } from "../transmit_queue.ts";
import type { DatagramPath } from "./datagram_batch.ts";
import { Flows } from "./flows.ts";

/** Bytes of data that an ICMP error about a flow quotes; receivers only need the ports. */
const QUOTED_DATA = 64;

/** State that UDP shares with the rest of the stack. */
export interface UdpTables {
  readonly own: OwnAddresses;
  readonly transmitQueue: TransmitQueue;
  readonly sharding: Sharding;
  readonly stats: Stats;
  readonly config: UdpConfig;
  /** TTL or hop limit of sent packets. */
  readonly hopLimit: number;
  /** Keeps peers from predicting hash collisions. */
  readonly seed: number;
}

/** Why a datagram was not sent. */
export type SendRefusal = Exclude<BindRefusal, "ADDRESS_IN_USE"> | "MESSAGE_TOO_LONG";

/** A bound socket, and its binding with the port that was chosen. */
export interface BoundSocket {
  readonly socket: UdpSocket;
  readonly binding: Binding;
}

/** All sockets and flows of a stack. */
export class UdpLayer {
  readonly flows: Flows;
  readonly #tables: UdpTables;
  readonly #hash: KeyedHash;
  readonly #bindings = new BindingTable<UdpSocket | FlowPort>();
  /** Binding of each socket and flow port. */
  readonly #bound = new Map<UdpSocket | FlowPort, Binding>();
  readonly #memory: QueueMemory;
  readonly #events = new NotificationQueue();
  readonly #paths = new PathMtus();
  readonly #header = new UdpHeader();
  #portCounter: number;

  constructor(tables: UdpTables, hash: KeyedHash) {
    const { config, stats, seed } = tables;
    this.#tables = tables;
    this.#hash = hash;
    this.#portCounter = seed >>> 16;
    this.#memory = new QueueMemory(config);
    this.flows = new Flows({ config, stats, seed, memory: this.#memory, events: this.#events });
  }

  /** Bytes in all receive queues, overhead included. */
  get queuedBytes(): number {
    return this.#memory.byteLength;
  }

  // ---------------------------------------------------------------- packets in

  /** Processes a received datagram; `packet` may be reused afterwards. */
  receive(
    ip: IpHeader,
    packet: Uint8Array,
    checksum: ChecksumState,
    now: number,
  ): DropReason | undefined {
    const { sharding, stats, transmitQueue } = this.#tables;
    const header = this.#header;
    const refused = parseUdp(ip, packet, checksum === "full", header);
    if (refused !== undefined) return refused;
    const { sourcePort, destinationPort } = header;
    if (sharding.forwardDatagram(ip, sourcePort, destinationPort, packet)) {
      stats.forwardedToShard++;
      return undefined;
    }
    const known = this.flows.table.find(ip, sourcePort, destinationPort);
    if (known !== undefined) return this.#toFlow(known, packet, now);
    const bound = this.#bindings.find(ip.d0, ip.d1, ip.d2, ip.d3, destinationPort);
    const { generations } = sharding;
    if (
      generations !== undefined && !(generations.isRetired && bound instanceof UdpSocket) &&
      (generations.forward(ip, sourcePort, destinationPort, packet, 0) ||
        bound === undefined && generations.offer(ip, packet, 0))
    ) {
      stats.forwardedToGeneration++;
      return undefined;
    }
    if (bound === undefined) {
      transmitQueue.unreachable(ip, packet, "port", now);
      return "udp-port";
    }
    if (bound instanceof UdpSocket) return this.#toSocket(bound, ip, packet);
    return sourcePort === 0 ? "udp-no-answer" : this.#openFlow(bound, ip, packet, now);
  }

  #toSocket(socket: UdpSocket, ip: IpHeader, packet: Uint8Array): DropReason | undefined {
    const refused = socket.queue.refusal(this.#length());
    if (refused !== undefined) return refused;
    const { sourcePort, destinationPort } = this.#header;
    socket.queue.push(
      this.#copy(packet, destinationOf(ip), destinationPort, sourceOf(ip), sourcePort),
    );
    this.#tables.stats.datagramsIn++;
    this.#events.push(socket);
    return undefined;
  }

  #toFlow(flow: Flow, packet: Uint8Array, now: number): DropReason | undefined {
    const refused = flow.queue.refusal(this.#length());
    if (refused !== undefined) return refused;
    const { local, localPort, remote, remotePort } = flow;
    flow.queue.push(this.#copy(packet, local, localPort, remote, remotePort));
    flow.touch(now);
    this.#tables.stats.datagramsIn++;
    this.#events.push(flow);
    return undefined;
  }

  #openFlow(
    port: FlowPort,
    ip: IpHeader,
    packet: Uint8Array,
    now: number,
  ): DropReason | undefined {
    const { sourcePort, destinationPort } = this.#header;
    const [local, remote] = [destinationOf(ip), sourceOf(ip)];
    const flow = this.flows.create(port, local, destinationPort, remote, sourcePort, now);
    const refused = this.#toFlow(flow, packet, now);
    if (refused !== undefined) return refused;
    flow.opening = packet.slice(0, Math.min(this.#header.dataStart + QUOTED_DATA, ip.payloadEnd));
    this.flows.enter(flow);
    return undefined;
  }

  #length(): number {
    return this.#header.dataEnd - this.#header.dataStart;
  }

  #copy(
    packet: Uint8Array,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ): Datagram {
    const { dataStart, dataEnd } = this.#header;
    const data = new Uint8Array(dataEnd - dataStart);
    copyBytes(packet, dataStart, dataEnd, data, 0);
    return { data, local, localPort, remote, remotePort };
  }

  /**
   * Applies an ICMP error about a datagram; returns false if no socket or flow can have sent that
   * datagram.
   */
  takeError(quoted: QuotedPacket, meaning: IcmpMeaning, mtu: number, now: number): boolean {
    const { local, localPort, remote, remotePort } = quoted;
    const { own, sharding } = this.#tables;
    if (!own.has(local) || !sharding.isOurFlow(local, localPort, remote, remotePort)) return false;
    const sender = this.flows.table.get(local, localPort, remote, remotePort) ??
      this.#bindings.find(local.w0, local.w1, local.w2, local.w3, localPort);
    if (sender === undefined || sender instanceof FlowPort) return false;
    if (meaning === "packet-too-big") return this.#paths.learn(remote, mtu, now);
    const reason = REASONS[meaning];
    if (reason === undefined) return false;
    if (sender instanceof Flow) {
      this.flows.end(sender, reason);
    } else {
      sender.tell({ reason, local, localPort, remote, remotePort });
      this.#events.push(sender);
    }
    return true;
  }

  /** Removes the next socket, flow port or flow with events from the queue. */
  pollEvent(): UdpNotified | undefined {
    return this.#events.shift();
  }

  // ---------------------------------------------------------------- calls

  /** Binds a socket; port 0 chooses a free port. */
  bindSocket(binding: Binding): BoundSocket | BindRefusal {
    if (!this.#isOurs(binding)) return "ADDRESS_NOT_AVAILABLE";
    const wanted = binding.firstPort > 0 ? binding : this.#freeBinding(binding);
    if (wanted === undefined) return "ADDRESS_NOT_AVAILABLE";
    const socket = new UdpSocket(this.#memory);
    return this.#bind(wanted, socket) ? { socket, binding: wanted } : "ADDRESS_IN_USE";
  }

  /** Binds a flow port; port 0 chooses a free port. */
  bindFlows(binding: Binding): FlowPort | BindRefusal {
    if (!this.#isOurs(binding)) return "ADDRESS_NOT_AVAILABLE";
    const wanted = binding.firstPort > 0 ? binding : this.#freeBinding(binding);
    if (wanted === undefined) return "ADDRESS_NOT_AVAILABLE";
    const port = new FlowPort();
    return this.#bind(wanted, port) ? port : "ADDRESS_IN_USE";
  }

  /** Bound ports in the range from which the stack chooses. */
  ephemeralPorts(): number[] {
    return [...this.#bound.values()].map(({ firstPort }) => firstPort)
      .filter((port) => port >= EPHEMERAL_PORTS_FROM);
  }

  /** The binding of a socket or flow port; `undefined` once it is unbound. */
  bindingOf(bound: UdpSocket | FlowPort): Binding | undefined {
    return this.#bound.get(bound);
  }

  #isOurs({ subnet }: Binding): boolean {
    return subnet === undefined || this.#tables.own.overlaps(subnet);
  }

  #bind(binding: Binding, value: UdpSocket | FlowPort): boolean {
    if (!this.#bindings.add(binding, value)) return false;
    this.#bound.set(value, binding);
    return true;
  }

  #freeBinding(binding: Binding): Binding | undefined {
    const offset = this.#hash.connection(IpAddress.ANY_V4, 0, IpAddress.ANY_V4, 0);
    const port = choosePort(
      offset,
      this.#portCounter++,
      (candidate) =>
        this.#tables.sharding.isOurPort(candidate) && !this.#bindings.hasPort(candidate),
    );
    return port === undefined ? undefined : { ...binding, firstPort: port, lastPort: port };
  }

  /**
   * Removes a binding. A socket's unread datagrams are dropped; the flows of a flow port continue.
   */
  unbind(bound: UdpSocket | FlowPort): void {
    if (bound.closed) return;
    bound.closed = true;
    this.#bindings.remove(this.#bound.get(bound)!);
    this.#bound.delete(bound);
    if (bound instanceof FlowPort) return;
    this.#tables.stats.drop("udp-unread", bound.queue.clear());
    this.#events.push(bound);
  }

  /**
   * Sends a copy of `data`, or returns the reason why not. Without `local`, the source address is
   * selected.
   */
  send(
    local: IpAddress | undefined,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    data: Uint8Array,
    now: number,
  ): SendRefusal | undefined {
    const { own, transmitQueue, stats } = this.#tables;
    if (!own.isUnicast(remote) || remotePort === 0) return "INVALID_ADDRESS";
    const source = local ?? own.sourceFor(remote);
    if (source === undefined || source.isV4 !== remote.isV4 || !own.has(source)) {
      return "ADDRESS_NOT_AVAILABLE";
    }
    if (data.length > maxDatagramLength(source)) return "MESSAGE_TOO_LONG";
    stats.datagramsOut++;
    const path = {
      source,
      sourcePort: localPort,
      destination: remote,
      destinationPort: remotePort,
    };
    if (transmitQueue.appendDatagram(path, data)) return undefined;
    const pathMtu = this.#paths.to(remote, now);
    // A packet to this stack itself does not reach the link, which would split it.
    const isBatch = !own.has(remote) && transmitQueue.beginDatagrams(path, data, pathMtu);
    if (!isBatch) transmitQueue.pushDatagram(this.#packetOf(path, data), pathMtu);
    return undefined;
  }

  #packetOf(
    { source, sourcePort, destination, destinationPort }: DatagramPath,
    data: Uint8Array,
  ): Packet {
    const headerLength = ipHeaderLength(source);
    const packet = new Uint8Array(headerLength + UDP_HEADER_LENGTH + data.length);
    packet.set(data, headerLength + UDP_HEADER_LENGTH);
    emitIp(packet, 0, source, destination, {
      protocol: PROTOCOL.UDP,
      payloadLength: packet.length - headerLength,
      hopLimit: this.#tables.hopLimit,
      trafficClass: 0,
      identification: 0,
    });
    emitUdp(packet, headerLength, source, sourcePort, destination, destinationPort);
    return packet;
  }

  /** {@link UdpLayer.send} in a flow. */
  sendInFlow(flow: Flow, data: Uint8Array, now: number): SendRefusal | undefined {
    const { local, localPort, remote, remotePort } = flow;
    flow.touch(now);
    return this.send(local, localPort, remote, remotePort, data, now);
  }

  /** Ends a flow and sends its peer the ICMP error for `why` (RFC 1122 4.1.3.1, RFC 4443 3.1). */
  refuseFlow(flow: Flow, why: FlowRefusal, now: number): void {
    const { local, remote, opening } = flow;
    if (flow.end === undefined) {
      const answered: AnsweredHeader = {
        version: local.isV4 ? 4 : 6,
        s0: remote.w0,
        s1: remote.w1,
        s2: remote.w2,
        s3: remote.w3,
        d0: local.w0,
        d1: local.w1,
        d2: local.w2,
        d3: local.w3,
        payloadEnd: opening.length,
        // Used for protocol errors only.
        nextHeaderAt: 0,
      };
      this.#tables.transmitQueue.unreachable(answered, opening, why, now);
    }
    this.flows.close(flow);
  }

  /** Ends the flows whose local address no longer belongs to the stack. */
  endWithoutAddress(): void {
    for (const flow of this.flows.table.all()) {
      if (!this.#tables.own.has(flow.local)) this.flows.end(flow, "stopped");
    }
  }

  /** Ends all flows: they receive no more datagrams, but can still send. */
  endFlows(): void {
    for (const flow of this.flows.table.all()) this.flows.end(flow, "stopped");
  }

  /** Unbinds all sockets and ends all flows. */
  shutDown(): void {
    for (const bound of this.#bound.keys()) this.unbind(bound);
    this.endFlows();
  }
}

const REASONS: { readonly [meaning in IcmpMeaning]?: FlowError } = {
  "port-unreachable": "CONNECTION_REFUSED",
  "protocol-unreachable": "CONNECTION_REFUSED",
  "host-unreachable": "UNREACHABLE",
  "network-unreachable": "UNREACHABLE",
  "prohibited": "UNREACHABLE",
};
