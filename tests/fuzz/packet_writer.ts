import type { IpAddress } from "../../core/wire/address.ts";
import { writeU16, writeU32 } from "../../core/wire/bytes.ts";
import { addBytes, finish, pseudoHeaderSum } from "../../core/wire/checksum.ts";
import { emitIcmpHeader } from "../../core/wire/icmp.ts";
import { emitIp, PROTOCOL } from "../../core/wire/ip.ts";
import { emitTcpHeader } from "../../core/wire/tcp.ts";

/** A segment to write; sequence numbers as 32-bit integers. */
export interface SegmentFields {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly urgentPointer: number;
  readonly ecn: number;
  readonly options: readonly number[];
  readonly textLength: number;
}

const IP_FIELDS = { protocol: 0, payloadLength: 0, hopLimit: 64, trafficClass: 0 };

/** Writes packets into a single buffer. */
export class PacketWriter {
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0x10000 + 100);
  size = 0;
  /** Offset of the IP payload. */
  payloadStart = 0;
  #identification = 0;

  tcp(from: IpAddress, to: IpAddress, fields: SegmentFields): void {
    const { options, textLength } = fields;
    const length = 20 + options.length + textLength;
    this.#ip(from, to, PROTOCOL.TCP, length, fields.ecn);
    const at = this.payloadStart;
    emitTcpHeader(this.bytes, at, { ...fields, optionsLength: options.length });
    writeU16(this.bytes, at + 18, fields.urgentPointer);
    for (let i = 0; i < options.length; i++) this.bytes[at + 20 + i] = options[i]!;
    this.bytes.fill(fields.seq & 255, at + 20 + options.length, this.size);
    this.sumTcp(from, to);
  }

  /** Updates the TCP checksum after a change. */
  sumTcp(from: IpAddress, to: IpAddress): void {
    const at = this.payloadStart;
    if (this.size - at < 20) return;
    writeU16(this.bytes, at + 16, 0);
    const sum = pseudoHeaderSum(from, to, PROTOCOL.TCP, this.size - at);
    writeU16(this.bytes, at + 16, finish(addBytes(sum, this.bytes, at, this.size)));
  }

  /** Writes an ICMP message that ends with `quoted` bytes of `body`. */
  icmp(
    from: IpAddress,
    to: IpAddress,
    message: { type: number; code: number; rest: number; body: Uint8Array; quoted: number },
  ): void {
    const { body, quoted } = message;
    const protocol = to.isV4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6;
    this.#ip(from, to, protocol, 8 + quoted, 0);
    const at = this.payloadStart;
    emitIcmpHeader(this.bytes, at, message.type, message.code, message.rest);
    this.bytes.set(body.subarray(0, quoted), at + 8);
    const sum = to.isV4 ? 0 : pseudoHeaderSum(from, to, PROTOCOL.ICMPV6, 8 + quoted);
    writeU16(this.bytes, at + 2, finish(addBytes(sum, this.bytes, at, this.size)));
  }

  /** Writes a payload of any protocol. */
  raw(from: IpAddress, to: IpAddress, protocol: number, payload: Uint8Array): void {
    this.#ip(from, to, protocol, payload.length, 0);
    this.bytes.set(payload, this.payloadStart);
  }

  /** Updates the IPv4 header checksum after a change. */
  sumIpv4(): void {
    const { bytes } = this;
    if (bytes[0]! >>> 4 !== 4) return;
    const headerLength = Math.min(Math.max(20, (bytes[0]! & 15) * 4), this.size);
    writeU16(bytes, 10, 0);
    writeU16(bytes, 10, finish(addBytes(0, bytes, 0, headerLength)));
  }

  /** Writes bytes `start` to `end` of the payload as a fragment. */
  fragment(
    start: number,
    end: number,
    more: boolean,
    identification: number,
  ): Uint8Array<ArrayBuffer> {
    return this.bytes[0]! >>> 4 === 4
      ? this.#fragmentV4(start, end, more, identification)
      : this.#fragmentV6(start, end, more, identification);
  }

  #fragmentV4(start: number, end: number, more: boolean, identification: number) {
    const piece = new Uint8Array(20 + end - start);
    piece.set(this.bytes.subarray(0, 20));
    piece.set(this.bytes.subarray(20 + start, 20 + end), 20);
    writeU16(piece, 2, piece.length);
    writeU16(piece, 4, identification);
    writeU16(piece, 6, (start >>> 3) | (more ? 0x2000 : 0));
    writeU16(piece, 10, 0);
    writeU16(piece, 10, finish(addBytes(0, piece, 0, 20)));
    return piece;
  }

  #fragmentV6(start: number, end: number, more: boolean, identification: number) {
    const piece = new Uint8Array(48 + end - start);
    piece.set(this.bytes.subarray(0, 40));
    writeU16(piece, 4, piece.length - 40);
    piece[6] = 44;
    piece[40] = this.bytes[6]!;
    writeU16(piece, 42, (start & 0xfff8) | (more ? 1 : 0));
    writeU32(piece, 44, identification);
    piece.set(this.bytes.subarray(40 + start, 40 + end), 48);
    return piece;
  }

  #ip(from: IpAddress, to: IpAddress, protocol: number, length: number, ecn: number): void {
    this.#identification = (this.#identification + 1) & 0xffff;
    this.payloadStart = emitIp(this.bytes, 0, from, to, {
      ...IP_FIELDS,
      protocol,
      payloadLength: length,
      trafficClass: ecn,
      identification: this.#identification,
    });
    this.size = this.payloadStart + length;
  }
}
