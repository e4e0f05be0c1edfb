import { OutgoingPacket } from "../../core/stack/link.ts";

/** A packet that outlives its `send()`: a copy to change or to send later. */
export class HeldPacket extends OutgoingPacket {
  /** Makes room for the payload of packets of up to `maxPacket` bytes. */
  constructor(maxPacket: number) {
    super();
    this.payload = new Uint8Array(maxPacket);
  }

  /** Takes a packet's bytes and what goes with them. */
  hold(packet: OutgoingPacket): void {
    const { HEADROOM } = OutgoingPacket;
    const { header, headerLength, payload, payloadStart, payloadLength, wrappedLength } = packet;
    this.header.set(header.subarray(HEADROOM, HEADROOM + headerLength), HEADROOM);
    this.payload.set(payload.subarray(payloadStart, payloadStart + payloadLength));
    this.payload.set(payload.subarray(0, wrappedLength), payloadLength);
    this.headerLength = headerLength;
    this.ipHeaderLength = packet.ipHeaderLength;
    this.payloadLength = payloadLength + wrappedLength;
    this.segmentSize = packet.segmentSize;
    this.checksumPartial = packet.checksumPartial;
  }

  /** Flips one of the packet's bits; `bit` counts from the first bit of the IP header. */
  flip(bit: number): void {
    const at = bit >>> 3;
    const [bytes, index] = at < this.headerLength
      ? [this.header, OutgoingPacket.HEADROOM + at]
      : [this.payload, at - this.headerLength];
    bytes[index]! ^= 0x80 >>> (bit & 7);
  }
}
