/**
 * Decodes and checks datagrams of the stack, independently of its own parser.
 *
 * @module
 */
import { textOf } from "./addresses.ts";
import { onesComplementSum, pseudoHeader } from "./encode.ts";

/** A datagram sent by the stack, in one packet. */
export interface SentDatagram {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** As on the wire. */
  readonly checksum: number;
  readonly data: Uint8Array;
}

/** Decodes a packet. Throws if it is invalid. */
export function decodeUdp(packet: Uint8Array): SentDatagram {
  const isV4 = packet[0]! >> 4 === 4;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const [start, from, to] = isV4 ? [20, 12, 16] as const : [40, 8, 24] as const;
  must(packet[isV4 ? 9 : 6] === 17, "protocol");
  if (isV4) must(onesComplementSum(packet.subarray(0, 20)) === 0xffff, "header checksum");
  must(view.getUint16(4 + start) === packet.length - start, "UDP length");
  const source = textOf(packet.subarray(from, to));
  const destination = textOf(packet.subarray(to, start));
  const datagram = packet.subarray(start);
  const pseudo = pseudoHeader(source, destination, 17, datagram.length);
  const checksum = view.getUint16(start + 6);
  must(checksum !== 0 && onesComplementSum(pseudo, datagram) === 0xffff, "UDP checksum");
  return {
    source,
    destination,
    sourcePort: view.getUint16(start),
    destinationPort: view.getUint16(start + 2),
    checksum,
    data: datagram.slice(8),
  };
}

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`the stack sent a malformed datagram: ${what}`);
}
