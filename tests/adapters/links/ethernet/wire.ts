/**
 * Frames encoded and decoded independently of `core/wire`, at one end of a cable whose other end is
 * a link.
 *
 * @module
 */
import type { FramePort } from "../../../../adapters/links/ethernet/frame_port.ts";
import {
  ethernet,
  type EthernetLink,
  type EthernetOptions,
} from "../../../../adapters/links/ethernet/mod.ts";
import { framePortPair } from "../../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { OutgoingPacket, PacketBatch } from "../../../../core/stack/link.ts";
import { IpAddress } from "../../../../core/wire/address.ts";
import { readPacket } from "../../../support/packets.ts";

/** The link's own addresses, as text. */
export const OWN_MAC = "02:00:00:00:00:01";
export const PEER_MAC = "02:00:00:00:00:02";
export const OTHER_MAC = "02:00:00:00:00:03";
export const EVERYBODY = "ff:ff:ff:ff:ff:ff";
export const NOBODY = "00:00:00:00:00:00";

/** A link in virtual time, and the other end of its cable. */
export class Cable {
  readonly clock = new VirtualClock();
  readonly link: EthernetLink;
  readonly #port: FramePort;

  constructor(options: Partial<EthernetOptions> = {}) {
    const [near, far] = framePortPair({ queue: 4096 });
    this.#port = far;
    this.link = ethernet(near, {
      addresses: ["10.0.0.1/24", "fd00::1/64"],
      mac: OWN_MAC,
      clock: this.clock,
      probe: false,
      ...options,
    });
  }

  /** Frames sent by the link since the last call, one line each. */
  sent(): string[] {
    return this.sentFrames().map(describeFrame);
  }

  sentFrames(): Uint8Array[] {
    const batch = new PacketBatch(4096);
    const count = this.#port.receive(batch);
    return batch.packets.slice(0, count).map((frame, i) => frame.slice(0, batch.sizes[i]));
  }

  /** Delivers a frame to the link; returns the packets that the link receives from it. */
  hears(frame: Uint8Array): Uint8Array[] {
    this.#port.send(outgoingFrame(frame));
    return this.receive();
  }

  receive(): Uint8Array[] {
    const batch = new PacketBatch(16);
    const count = this.link.receive(batch);
    return batch.packets.slice(0, count).map((each, i) => each.slice(0, batch.sizes[i]));
  }

  /** The states of the link's neighbors. */
  states(): string[] {
    return this.link.neighbors.map(({ address, state }) => `${address} ${state}`);
  }
}

/** Builds a frame. */
export function frame(to: string, from: string, type: number, payload: Uint8Array): Uint8Array {
  return new Uint8Array([...macBytes(to), ...macBytes(from), type >> 8, type & 255, ...payload]);
}

/** Builds a frame with a packet. */
export function packetFrame(packet: OutgoingPacket, to = OWN_MAC, from = PEER_MAC): Uint8Array {
  const bytes = new Uint8Array(packet.byteLength);
  packet.copyTo(bytes, 0);
  return frame(to, from, bytes[0]! >>> 4 === 4 ? 0x0800 : 0x86dd, bytes);
}

/** A frame as a port sends it. */
export function outgoingFrame(frame: Uint8Array): OutgoingPacket {
  const packet = new OutgoingPacket();
  packet.header.set(frame.subarray(0, 14), OutgoingPacket.HEADROOM - 14);
  packet.payload = frame.slice(14);
  packet.payloadLength = packet.payload.length;
  return packet;
}

/** Fields of an ARP message; `to` is the destination of the frame. */
export interface Arp {
  readonly op?: 1 | 2;
  readonly to?: string;
  readonly from: string;
  readonly ip: string;
  readonly targetMac?: string;
  readonly target: string;
}

export function arp({ op = 1, to, from, ip, targetMac = NOBODY, target }: Arp): Uint8Array {
  const bytes = [0, 1, 8, 0, 6, 4, 0, op, ...macBytes(from), ...ipBytes(ip)];
  const destination = to ?? (op === 1 ? EVERYBODY : OWN_MAC);
  const payload = [...bytes, ...macBytes(targetMac), ...ipBytes(target)];
  // Padded to 60 bytes, the minimum on Ethernet.
  return frame(destination, from, 0x0806, new Uint8Array([...payload, ...new Array(18).fill(0)]));
}

/** Fields of a neighbor discovery message. */
export interface Neighborly {
  readonly type: 135 | 136;
  readonly to?: string;
  readonly from: string;
  readonly source: string;
  readonly destination: string;
  readonly target: string;
  /** Flags of an advertisement: router, solicited, override. */
  readonly flags?: number;
  /** Link-layer address of the option, if any. */
  readonly mac?: string | undefined;
  readonly hopLimit?: number;
  /** Replaces the options. */
  readonly options?: readonly number[];
}

export function neighborly(said: Neighborly): Uint8Array {
  const { type, from, source, destination, target, flags = 0, mac, hopLimit = 255 } = said;
  const own = mac === undefined ? [] : [type === 135 ? 1 : 2, 1, ...macBytes(mac)];
  const options = said.options ?? own;
  const message = [type, 0, 0, 0, flags, 0, 0, 0, ...ipBytes(target), ...options];
  const addresses = [...ipBytes(source), ...ipBytes(destination)];
  const pseudo = [...addresses, 0, 0, 0, message.length, 0, 0, 0, 58];
  const sum = checksum([...pseudo, ...message]);
  message.splice(2, 2, sum >> 8, sum & 255);
  const header = [0x60, 0, 0, 0, 0, message.length, 58, hopLimit, ...addresses];
  const to = said.to ?? OWN_MAC;
  return frame(to, from, 0x86dd, new Uint8Array([...header, ...message]));
}

function checksum(bytes: number[]): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function describeFrame(bytes: Uint8Array): string {
  const type = (bytes[12]! << 8) | bytes[13]!;
  const way = `${macText(bytes, 6)} > ${macText(bytes, 0)}`;
  const body = bytes.subarray(14);
  if (type === 0x0806) return `${way} ${describeArp(body)}`;
  if (type === 0x86dd && body[6] === 58 && body[40]! >= 135 && body[40]! <= 136) {
    return `${way} ${describeNeighborly(body)}`;
  }
  const { from, to, protocol } = readPacket(body);
  return `${way} ${from} > ${to} protocol ${protocol}, ${body.length} bytes`;
}

function describeArp(body: Uint8Array): string {
  const [from, target] = [IpAddress.readV4(body, 14), IpAddress.readV4(body, 24)];
  return body[7] === 1
    ? `ARP who has ${target}? tell ${from} at ${macText(body, 8)}`
    : `ARP ${from} is at ${macText(body, 8)}, for ${target} at ${macText(body, 18)}`;
}

function describeNeighborly(body: Uint8Array): string {
  const { from, to } = readPacket(body);
  const target = IpAddress.readV6(body, 48);
  const option = body[64] === undefined ? "" : ` option ${body[64]} ${macText(body, 66)}`;
  const rest = `hops ${body[7]}${option}`;
  if (body[40] === 135) return `${from} > ${to} NS who has ${target}? ${rest}`;
  const flags = (body[44]! & 0x40 ? "S" : "") + (body[44]! & 0x20 ? "O" : "");
  return `${from} > ${to} NA ${target} ${flags} ${rest}`;
}

export function macBytes(mac: string): number[] {
  return mac.split(":").map((byte) => parseInt(byte, 16));
}

function macText(bytes: Uint8Array, at: number): string {
  return [...bytes.subarray(at, at + 6)].map((byte) => byte.toString(16).padStart(2, "0"))
    .join(":");
}

function ipBytes(text: string): number[] {
  const bytes = new Uint8Array(16);
  const length = IpAddress.parse(text)!.write(bytes, 0);
  return [...bytes.subarray(0, length)];
}
