/**
 * Joins datagrams into a super-packet, which the link splits (Linux: UDP_SEGMENT, USO).
 *
 * @module
 */
import { OutgoingPacket } from "../../buffers/outgoing_packet.ts";
import type { IpAddress } from "../../wire/address.ts";
import { emitIp, ipHeaderLength, PROTOCOL } from "../../wire/ip.ts";
import { emitUdpHeader, UDP_HEADER_LENGTH } from "../../wire/udp.ts";

/** Maximum number of datagrams into which Linux splits a packet (UDP_MAX_SEGMENTS; 128 in newer kernels). */
export const MAX_DATAGRAMS = 64;

/** The addresses and ports of a datagram. */
export interface DatagramPath {
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
}

/** A packet that is sent as it is, or split by the link. */
export interface BatchedPacket {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Length of the IP header. */
  readonly ipHeaderLength: number;
  /** Length of the IP packet. */
  readonly end: number;
  /** Length of the data of each datagram; the last may be shorter. 0 for a single datagram. */
  readonly segmentSize: number;
  /** Number of datagrams. */
  readonly count: number;
}

/**
 * The datagrams sent last, as long as they have the same addresses, ports and length; only the last
 * may be shorter. Their data is written to one array, which is reused.
 */
export class DatagramBatch implements BatchedPacket {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  ipHeaderLength = 0;
  end = 0;
  count = 0;
  readonly #maxSize: number;
  readonly #hopLimit: number;
  #path: DatagramPath | undefined;
  #dataLength = 0;
  #isFull = false;

  /** `maxSize`: maximum size of the IP packet. `hopLimit`: its TTL or hop limit. */
  constructor(maxSize: number, hopLimit: number) {
    this.#maxSize = maxSize;
    this.#hopLimit = hopLimit;
  }

  get segmentSize(): number {
    return this.count > 1 ? this.#dataLength : 0;
  }

  /** Appends a datagram; false if it does not continue the batch. */
  append(path: DatagramPath, data: Uint8Array): boolean {
    const { length } = data;
    const isOpen = this.count > 0 && this.count < MAX_DATAGRAMS && !this.#isFull;
    // Empty datagrams cannot be told apart in a super-packet.
    const fits = length > 0 && length <= this.#dataLength && this.end + length <= this.#maxSize;
    if (!isOpen || !fits || !isSame(this.#path!, path)) return false;
    this.bytes.set(data, this.end);
    this.end += length;
    this.count++;
    this.#isFull = length < this.#dataLength;
    return true;
  }

  /** Begins with a datagram, after {@link clear}; it must fit into a packet. */
  begin(path: DatagramPath, data: Uint8Array): void {
    const { length } = data;
    if (this.bytes.length === 0) this.bytes = new Uint8Array(this.#maxSize);
    this.#path = path;
    this.ipHeaderLength = ipHeaderLength(path.source);
    const start = this.ipHeaderLength + UDP_HEADER_LENGTH;
    this.bytes.set(data, start);
    this.end = start + length;
    this.count = 1;
    this.#dataLength = length;
    this.#isFull = false;
  }

  /** Writes the headers, with a partial checksum. */
  complete(): void {
    const { source, sourcePort, destination, destinationPort } = this.#path!;
    emitIp(this.bytes, 0, source, destination, {
      protocol: PROTOCOL.UDP,
      payloadLength: this.end - this.ipHeaderLength,
      hopLimit: this.#hopLimit,
      trafficClass: 0,
      identification: 0,
    });
    emitUdpHeader(
      this.bytes,
      this.ipHeaderLength,
      this.end,
      source,
      sourcePort,
      destination,
      destinationPort,
    );
  }

  /** A copy, after {@link complete}. */
  copy(): BatchedPacket {
    const { ipHeaderLength, end, segmentSize, count } = this;
    return { bytes: this.bytes.slice(0, end), ipHeaderLength, end, segmentSize, count };
  }

  /** Drops the datagrams. */
  clear(): void {
    this.count = 0;
  }
}

/** Writes a batch to `out`, which refers to its array. */
export function writeBatch(
  { bytes, ipHeaderLength, end, segmentSize }: BatchedPacket,
  out: OutgoingPacket,
): void {
  const { header } = out;
  const headerLength = ipHeaderLength + UDP_HEADER_LENGTH;
  for (let i = 0; i < headerLength; i++) header[OutgoingPacket.HEADROOM + i] = bytes[i]!;
  out.headerLength = headerLength;
  out.ipHeaderLength = ipHeaderLength;
  out.payload = bytes;
  out.payloadStart = headerLength;
  out.payloadLength = end - headerLength;
  out.wrappedLength = 0;
  out.segmentSize = segmentSize;
  out.checksumPartial = true;
}

function isSame(one: DatagramPath, other: DatagramPath): boolean {
  return one === other || one.sourcePort === other.sourcePort &&
      one.destinationPort === other.destinationPort && isSameAddress(one.source, other.source) &&
      isSameAddress(one.destination, other.destination);
}

function isSameAddress(one: IpAddress, other: IpAddress): boolean {
  return one === other ||
    one.w0 === other.w0 && one.w1 === other.w1 && one.w2 === other.w2 && one.w3 === other.w3;
}
