/**
 * Ethernet frames in UDP datagrams of the host; shared by `openVxlan()` and `openQemuDgram()`.
 *
 * @module
 */
import type { HostPort } from "../../core/api/host_port.ts";
import { Queue } from "../../core/buffers/queue.ts";
import type { LinkFeatures, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { ETHERNET_HEADER } from "../../core/wire/ethernet.ts";
import { hostError } from "../host/connection.ts";
import {
  type DatagramClient,
  type HostDatagramPort,
  listenHostDatagrams,
} from "../host/datagram_port.ts";
import { Counts } from "./ethernet/counts.ts";
import type { FramePort } from "./ethernet/frame_port.ts";
import { PacketQueue } from "./packet_queue.ts";

/** Maximum number of datagrams queued for sending. */
const MAX_WAITING = 1024;
/** The total length field has 16 bits (RFC 791 3.1). */
const MAX_SUPER_PACKET = 65_535;
/** Length of the headers of IPv6 and TCP with timestamps. */
const MAX_HEADER_BYTES = 72;

/** Counters of a {@link UdpPort}. */
export type UdpCount =
  | "drop.queue" // the stack's queue is full
  | "drop.size" // larger than the MTU
  | "drop.busy" // the send queue is full
  | "drop.send"; // the host could not send it

/** Format and destinations of the datagrams of a {@link UdpPort}. */
export interface Encapsulation {
  /** Shown in logs. */
  readonly name: string;
  /** Length of the header before a frame. */
  readonly headerSize: number;
  /** Endpoints for a frame, by its destination address at offset 0. */
  destinations(frame: Uint8Array): Iterable<HostPort>;
  /** Writes the header. */
  writeHeader(datagram: Uint8Array): void;
  /** Whether to accept a datagram; the frame follows the header. */
  accepts(datagram: Uint8Array, from: HostPort): boolean;
  stats(): Readonly<Record<string, number>>;
}

/** Options of {@link UdpPort}. */
export interface UdpPortOptions {
  readonly local: HostPort;
  readonly mtu: number;
  readonly queue: number;
  /** Whether received packets may be super-packets and have partial checksums. */
  readonly offload: boolean;
}

interface Datagram {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
  readonly to: HostPort;
  /** Whether this is the last use of `bytes`. */
  readonly isLast: boolean;
}

/** A frame port on a UDP socket of the host. */
export class UdpPort implements FramePort {
  readonly name: string;
  readonly features: LinkFeatures;
  /** The socket; set when the port is open. */
  #socket!: HostDatagramPort;
  /** The form of each endpoint that the socket needs for sending, by the endpoint's object in the encapsulation. */
  readonly #endpoints = new WeakMap<HostPort, DatagramClient>();
  readonly #encapsulation: Encapsulation;
  readonly #offload: boolean;
  readonly #incoming: PacketQueue;
  readonly #counts = new Counts<UdpCount>();
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  readonly #outgoing = new Queue<Datagram>();
  #isSending = false;
  /** The sender of the last datagram, and its canonical address. */
  #sender: DatagramClient | undefined;
  #senderAddress: HostPort | undefined;
  #closing: Promise<void> | undefined;

  private constructor(encapsulation: Encapsulation, { mtu, queue, offload }: UdpPortOptions) {
    this.name = encapsulation.name;
    this.features = { mtu, maxSuperPacket: 0, checksumOffload: false };
    const incoming = { ...this.features, maxSuperPacket: offload ? MAX_SUPER_PACKET : 0 };
    this.#encapsulation = encapsulation;
    this.#offload = offload;
    this.#incoming = new PacketQueue(queue, incoming, ETHERNET_HEADER);
  }

  /**
   * Binds the socket.
   *
   * @throws {Error} The address cannot be bound.
   */
  static async open(encapsulation: Encapsulation, options: UdpPortOptions): Promise<UdpPort> {
    const port = new UdpPort(encapsulation, options);
    try {
      port.#socket = await listenHostDatagrams(options.local, {
        onDatagram: (datagram, from) => port.#take(datagram, from),
        // Errors of a single datagram are reported to its sender; later ones may succeed.
        onError: () => port.#counts.add("drop.send"),
      });
    } catch (error) {
      throw hostError(error as Error);
    }
    return port;
  }

  /** Address and port of the socket. */
  get local(): HostPort {
    return this.#socket.address;
  }

  receive(batch: PacketBatch): number {
    return this.#incoming.takeInto(batch);
  }

  ready(): Promise<boolean> {
    return this.#incoming.ready();
  }

  send(frame: OutgoingPacket): boolean {
    if (this.#closing || frame.byteLength > this.features.mtu) return false;
    const { headerSize } = this.#encapsulation;
    const size = headerSize + ETHERNET_HEADER + this.features.mtu;
    const bytes = this.#spare.pop() ?? new Uint8Array(size);
    const length = headerSize + frame.copyTo(bytes, headerSize, ETHERNET_HEADER);
    this.#encapsulation.writeHeader(bytes);
    const sent = this.#enqueue(bytes, length);
    if (!sent) this.#spare.push(bytes);
    return sent;
  }

  /** Queues one datagram per destination; all share a copy of the bytes. */
  #enqueue(bytes: Uint8Array<ArrayBuffer>, length: number): boolean {
    const { headerSize } = this.#encapsulation;
    const destinations = [...this.#encapsulation.destinations(bytes.subarray(headerSize))];
    if (destinations.length === 0) return false;
    if (this.#outgoing.count + destinations.length > MAX_WAITING) {
      this.#counts.add("drop.busy");
      return false;
    }
    for (const [i, to] of destinations.entries()) {
      this.#outgoing.push({ bytes, length, to, isLast: i === destinations.length - 1 });
    }
    if (!this.#isSending) this.#sendNext();
    return true;
  }

  /** Sends one at a time, since Deno reorders datagrams that are sent together. */
  #sendNext(): void {
    const next = this.#closing ? undefined : this.#outgoing.shift();
    this.#isSending = next !== undefined;
    if (next === undefined) return;
    const { bytes, length, to, isLast } = next;
    this.#socket.send(bytes.subarray(0, length), this.#clientAt(to)).catch(() => {
      if (!this.#closing) this.#counts.add("drop.send");
    }).then(() => {
      if (isLast) this.#spare.push(bytes);
      this.#sendNext();
    });
  }

  #clientAt(to: HostPort): DatagramClient {
    let client = this.#endpoints.get(to);
    if (client === undefined) this.#endpoints.set(to, client = this.#socket.clientAt(to));
    return client;
  }

  stats(): Readonly<Record<string, number>> {
    return { ...this.#encapsulation.stats(), ...this.#counts.snapshot() };
  }

  close(): Promise<void> {
    this.#incoming.close();
    return this.#closing ??= this.#socket.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #take(datagram: Uint8Array, from: DatagramClient): void {
    if (this.#closing) return;
    if (from !== this.#sender) {
      this.#sender = from;
      this.#senderAddress = { hostname: canonical(from.hostname), port: from.port };
    }
    if (!this.#encapsulation.accepts(datagram, this.#senderAddress!)) return;
    const frame = datagram.subarray(this.#encapsulation.headerSize);
    const isLarge = frame.length > this.features.mtu + ETHERNET_HEADER;
    if (isLarge && !this.#offload) return this.#counts.add("drop.size");
    // The sender's segment size is unknown; this link's is the most likely one.
    const segmentSize = isLarge ? this.features.mtu - MAX_HEADER_BYTES : 0;
    const checksum = this.#offload ? "verified" : "full";
    if (!this.#incoming.putBytes(frame, checksum, segmentSize)) this.#counts.add("drop.queue");
  }
}

/** Canonical spelling of an address; mapped IPv4 addresses of an IPv6 socket become IPv4. */
export function canonical(hostname: string): string {
  return IpAddress.parse(hostname.replace(/%.*$/, ""))?.toString() ?? hostname;
}
