import { type ChecksumState, OutgoingPacket } from "../../../core/stack/link.ts";

/** A packet that outlives its `send()`: a copy to change or to send later. */
export class HeldPacket extends OutgoingPacket {
  /** What is known of its checksum. */
  checksum: ChecksumState = "full";

  /** Takes a packet's bytes and what goes with them; makes room for them where there is none. */
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
   * Flips one of the packet's bits; `bit` counts from the first bit of the IP header. Nobody vouches
   * for the checksum any more.
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
