import { type Link, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";

const BATCH = 64;

/** Modifies a packet in place. */
export type Rewrite = (packet: Uint8Array) => void;

/**
 * Forwards packets from one link to another until either is closed. Neither may use checksum
 * offload.
 */
export async function relay(from: Link, to: Link, rewrite: Rewrite = () => {}): Promise<void> {
  const batch = new PacketBatch(BATCH);
  const out = new OutgoingPacket();
  while (await from.ready()) {
    for (let count = from.receive(batch); count > 0; count = from.receive(batch)) {
      for (let i = 0; i < count; i++) {
        const packet = batch.packets[i]!.subarray(0, batch.sizes[i]);
        rewrite(packet);
        wrapPacket(packet, out);
        to.send(out);
      }
    }
  }
}

/** Sets `out` to a complete packet with complete checksums. */
export function wrapPacket(packet: Uint8Array<ArrayBuffer>, out: OutgoingPacket): void {
  const headerLength = packet[0]! >>> 4 === 4 ? 20 : 40;
  out.header.set(packet.subarray(0, headerLength), OutgoingPacket.HEADROOM);
  out.headerLength = out.ipHeaderLength = headerLength;
  out.payload = packet;
  out.payloadStart = headerLength;
  out.payloadLength = packet.length - headerLength;
  out.wrappedLength = out.segmentSize = 0;
  out.checksumPartial = false;
}
