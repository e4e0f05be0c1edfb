import { type Link, OutgoingPacket, PacketBatch } from "@berth/berth/browser";

const ECHO_REQUEST = 8;
const ECHO_REPLY = 0;
const ICMP = 1;

/**
 * Sends one ICMP echo request (RFC 792) over a link before a stack uses it; resolves with the
 * round-trip time in milliseconds.
 */
export async function ping(link: Link, from: string, to: string): Promise<number> {
  const request = echoRequest(bytesOf(from), bytesOf(to));
  const batch = new PacketBatch(8);
  const began = performance.now();
  link.send(request);
  while (await link.ready()) {
    const count = link.receive(batch);
    for (let i = 0; i < count; i++) {
      const packet = batch.packets[i]!;
      if (packet[9] === ICMP && packet[20] === ECHO_REPLY) return performance.now() - began;
    }
  }
  throw new Error("the link was closed before a reply came");
}

function echoRequest(from: number[], to: number[]): OutgoingPacket {
  const [identifier, sequence] = [[0x12, 0x34], [0, 1]];
  const icmp = [ECHO_REQUEST, 0, 0, 0, ...identifier, ...sequence];
  icmp.splice(2, 2, ...checksum(icmp));
  const ip = [0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, ICMP, 0, 0, ...from, ...to];
  ip.splice(10, 2, ...checksum(ip));
  const packet = new OutgoingPacket();
  packet.header.set([...ip, ...icmp], OutgoingPacket.HEADROOM);
  packet.headerLength = ip.length + icmp.length;
  packet.ipHeaderLength = ip.length;
  return packet;
}

/** The Internet checksum (RFC 1071). */
function checksum(bytes: readonly number[]): [number, number] {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return [(~sum >>> 8) & 0xff, ~sum & 0xff];
}

function bytesOf(address: string): number[] {
  return address.split(".").map(Number);
}
