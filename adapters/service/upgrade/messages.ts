/**
 * Messages between the processes of a service about packets and connections.
 *
 * @module
 */
import type { GenerationEndpoint } from "../../../core/stack/sharding/generations.ts";
import { IpAddress } from "../../../core/wire/address.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The first byte of a message. */
export const KIND = {
  /** A packet. */
  PACKET: 1,
  /** Connections that the sender and earlier processes have. */
  ENDPOINTS: 2,
  /** The receiver has to receive the device's packets from now on. */
  TAKE_OVER: 3,
  /** A part of a message about a connection that moves. */
  MOVE: 4,
} as const;

/** Length of the header of a packet. */
const PACKET_HEADER = 8;
/** Two addresses, two ports, the number of the process, the mark and 1 (0: there is none), the protocol. */
const ENDPOINT_SIZE = 44;
/** Maximum number of endpoints in a message. */
const ENDPOINTS_PER_MESSAGE = 1000;
const ENDPOINTS_HEADER = 4;

/** A packet that is passed to another process. */
export interface PacketMessage {
  readonly asked: number;
  readonly segmentSize: number;
  readonly packet: Bytes;
}

/** The message with a packet. */
export function packetMessage({ asked, segmentSize, packet }: PacketMessage): Bytes {
  const bytes = new Uint8Array(PACKET_HEADER + packet.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = KIND.PACKET;
  view.setUint16(2, segmentSize, true);
  view.setUint32(4, asked, true);
  bytes.set(packet, PACKET_HEADER);
  return bytes;
}

/** A copy of the packet in a message; `undefined` if the message is too short. */
export function readPacket(bytes: Bytes): PacketMessage | undefined {
  if (bytes.length <= PACKET_HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [segmentSize, asked] = [view.getUint16(2, true), view.getUint32(4, true)];
  return { segmentSize, asked, packet: bytes.slice(PACKET_HEADER) };
}

/** The messages with endpoints; each is valid until the next. */
export function* endpointMessages(endpoints: Iterable<GenerationEndpoint>): Generator<Bytes> {
  const bytes: Bytes = new Uint8Array(ENDPOINTS_HEADER + ENDPOINTS_PER_MESSAGE * ENDPOINT_SIZE);
  const view = new DataView(bytes.buffer);
  bytes[0] = KIND.ENDPOINTS;
  let at = ENDPOINTS_HEADER;
  for (const { local, remote, localPort, remotePort, generation, protocol, mark } of endpoints) {
    for (const [i, { w0, w1, w2, w3 }] of [local, remote].entries()) {
      for (const [j, word] of [w0, w1, w2, w3].entries()) {
        view.setInt32(at + 16 * i + 4 * j, word);
      }
    }
    view.setUint16(at + 32, localPort);
    view.setUint16(at + 34, remotePort);
    view.setUint32(at + 36, generation);
    view.setUint16(at + 40, mark === undefined ? 0 : mark + 1);
    view.setUint16(at + 42, protocol);
    at += ENDPOINT_SIZE;
    if (at < bytes.length) continue;
    yield bytes;
    at = ENDPOINTS_HEADER;
  }
  if (at > ENDPOINTS_HEADER) yield bytes.subarray(0, at);
}

/** The endpoints of a message. */
export function readEndpoints(bytes: Bytes): GenerationEndpoint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const endpoints: GenerationEndpoint[] = [];
  for (let at = ENDPOINTS_HEADER; at + ENDPOINT_SIZE <= bytes.length; at += ENDPOINT_SIZE) {
    const marked = view.getUint16(at + 40);
    endpoints.push({
      local: IpAddress.readV6(bytes, at),
      remote: IpAddress.readV6(bytes, at + 16),
      localPort: view.getUint16(at + 32),
      remotePort: view.getUint16(at + 34),
      generation: view.getUint32(at + 36),
      protocol: view.getUint16(at + 42),
      ...marked > 0 && { mark: marked - 1 },
    });
  }
  return endpoints;
}
