import { OutgoingPacket } from "../../../../core/stack/link.ts";
import { readI32, writeU16, writeU32 } from "../../../../core/wire/bytes.ts";
import { addBytes, finish } from "../../../../core/wire/checksum.ts";
import {
  IpHeader,
  parseIp,
  PROTOCOL,
  pseudoHeaderSumOf,
  writeHeaderChecksum,
} from "../../../../core/wire/ip.ts";
import { FLAG } from "../../../../core/wire/tcp.ts";

const UDP_HEADER = 8;
const MIN_TCP_HEADER = 20;

/**
 * Splits packets as a device with offload does: a super-packet into its segments or datagrams, each with its own
 * checksums. Packets without offloaded work pass unchanged.
 */
export class Segmenter {
  readonly #ip = new IpHeader();
  readonly #segment = new OutgoingPacket();
  #whole = new Uint8Array(0);

  /** The packets that `packet` stands for; each is valid until the next one is requested. */
  *split(packet: OutgoingPacket): Generator<OutgoingPacket> {
    if (packet.segmentSize === 0 && !packet.checksumPartial) return yield packet;
    const size = packet.byteLength;
    if (this.#whole.length < size) this.#whole = new Uint8Array(size);
    const whole = this.#whole;
    packet.copyTo(whole, 0);
    const ip = this.#ip;
    if (parseIp(whole, size, ip) !== undefined || ip.isFragment) return yield packet;
    const headerEnd = ip.payloadStart + transportHeader(ip, whole);
    if (headerEnd === ip.payloadStart || headerEnd > ip.payloadEnd) return yield packet;
    const step = packet.segmentSize > 0 ? packet.segmentSize : ip.payloadEnd - headerEnd;
    let index = 0;
    for (let at = headerEnd; at < ip.payloadEnd || index === 0; at += step, index++) {
      const end = Math.min(at + step, ip.payloadEnd);
      yield this.#write(whole, headerEnd, at, end, index, end === ip.payloadEnd);
    }
  }

  /** The segment with the payload from `start` to `end`. */
  #write(
    whole: Uint8Array<ArrayBuffer>,
    headerEnd: number,
    start: number,
    end: number,
    index: number,
    isLast: boolean,
  ): OutgoingPacket {
    const ip = this.#ip;
    const out = this.#segment;
    const { header } = out;
    const at = OutgoingPacket.HEADROOM;
    header.set(whole.subarray(0, headerEnd), at);
    out.headerLength = headerEnd;
    out.ipHeaderLength = ip.payloadStart;
    out.payload = whole;
    out.payloadStart = start;
    out.payloadLength = end - start;
    out.wrappedLength = out.segmentSize = 0;
    out.checksumPartial = false;
    const length = headerEnd - ip.payloadStart + out.payloadLength;
    if (ip.version === 4) {
      writeU16(header, at + 2, ip.payloadStart + length);
      writeU16(header, at + 4, (((whole[4]! << 8) | whole[5]!) + index) & 0xffff);
      writeHeaderChecksum(header, at, ip.payloadStart);
    } else {
      writeU16(header, at + 4, ip.payloadStart - 40 + length);
    }
    const transport = at + ip.payloadStart;
    const isTcp = ip.protocol === PROTOCOL.TCP;
    if (isTcp) setSequence(header, transport, start - headerEnd, index === 0, isLast);
    else writeU16(header, transport + 4, length);
    const checksumAt = transport + (isTcp ? 16 : 6);
    writeU16(header, checksumAt, 0);
    const sum = addBytes(pseudoHeaderSumOf(ip, length), header, transport, at + headerEnd);
    // The length of both headers is even.
    const checksum = finish(addBytes(sum, whole, start, end));
    // A UDP checksum of 0 means none (RFC 768).
    writeU16(header, checksumAt, checksum === 0 && !isTcp ? 0xffff : checksum);
    return out;
  }
}

/** Length of the TCP or UDP header; 0 if the packet has neither, or not all of it. */
function transportHeader({ protocol, payloadStart, payloadEnd }: IpHeader, bytes: Uint8Array) {
  if (protocol === PROTOCOL.UDP) return UDP_HEADER;
  if (protocol !== PROTOCOL.TCP || payloadEnd - payloadStart < MIN_TCP_HEADER) return 0;
  const length = (bytes[payloadStart + 12]! >>> 4) * 4;
  return length < MIN_TCP_HEADER ? 0 : length;
}

/** FIN and PSH belong to the last segment, CWR to the first (RFC 3168 6.1.2). */
function setSequence(
  header: Uint8Array,
  at: number,
  offset: number,
  isFirst: boolean,
  isLast: boolean,
): void {
  writeU32(header, at + 4, readI32(header, at + 4) + offset);
  const kept = 0xff & ~(isLast ? 0 : FLAG.FIN | FLAG.PSH) & ~(isFirst ? 0 : FLAG.CWR);
  header[at + 13]! &= kept;
}
