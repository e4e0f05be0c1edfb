import { type ChecksumState, OutgoingPacket } from "../../../core/stack/link.ts";

/** A copy of a packet that outlives `send()`, to be modified or sent later. */
export class HeldPacket extends OutgoingPacket {
  /** State of its checksum. */
  checksum: ChecksumState = "full";

  /** Copies a packet with its metadata, and grows the buffer if necessary. */
  hold(packet: OutgoingPacket, checksum: ChecksumState): void {
    const { HEADROOM } = OutgoingPacket;
    const { header, headerLength, payload, payloadStart, payloadLength, wrappedLength } = packet;
    const size = payloadLength + wrappedLength;
    if (this.payload.length < size) this.payload = new Uint8Array(size);
    this.header.set(header.subarray(HEADROOM, HEADROOM + headerLength), HEADROOM);
    this.payload.set(payload.subarray(payloadStart, payloadStart + payloadLength));
    this.payload.set(payload.subarray(0, wrappedLength), payloadLength);
    this.headerLength = headerLength;
    this.ipHeaderLength = packet.ipHeaderLength;
    this.payloadLength = size;
    this.segmentSize = packet.segmentSize;
    this.checksumPartial = packet.checksumPartial;
    this.checksum = checksum;
  }

  /**
   * Flips one bit; `bit` counts from the first bit of the IP header. The receiver has to verify the checksum
   * afterwards.
   */
  flip(bit: number): void {
    const at = bit >>> 3;
    const [bytes, index] = at < this.headerLength
      ? [this.header, OutgoingPacket.HEADROOM + at]
      : [this.payload, at - this.headerLength];
    bytes[index]! ^= 0x80 >>> (bit & 7);
    this.checksum = "full";
  }
}
