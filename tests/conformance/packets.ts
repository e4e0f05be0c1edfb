/**
 * Malformed packets for traces.
 *
 * @module
 */
import {
  encodeTcp,
  onesComplementSum,
  pseudoHeader,
  type TcpFields,
} from "../support/dsl/encode.ts";
import type { Trace } from "../support/dsl/trace.ts";

/**
 * A segment of the peer of `t` with relative numbers, as bytes to modify and pass to
 * `t.wire.inject`.
 */
export function peerPacket(
  t: Trace,
  { seq, ack, ...rest }: Partial<TcpFields> & { seq: number; ack: number; flags: number },
): Uint8Array {
  return encodeTcp({
    source: t.remote,
    destination: t.local,
    sourcePort: t.remotePort,
    destinationPort: t.localPort,
    window: 65535,
    seq: (t.irs + seq) >>> 0,
    ack: (t.iss + ack) >>> 0,
    ...rest,
  });
}

/** Updates the TCP checksum of a modified IPv4 packet without options. */
export function withChecksum(t: Trace, packet: Uint8Array): Uint8Array {
  const segment = packet.subarray(20);
  segment[16] = segment[17] = 0;
  const pseudo = pseudoHeader(t.remote, t.local, 6, segment.length);
  const sum = ~onesComplementSum(pseudo, segment) & 0xffff;
  segment[16] = sum >> 8;
  segment[17] = sum & 255;
  return packet;
}
