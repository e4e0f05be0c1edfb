import { writeU16 } from "../../../../core/wire/bytes.ts";
import { addBytes, finish } from "../../../../core/wire/checksum.ts";
import { IpHeader, parseIp, PROTOCOL } from "../../../../core/wire/ip.ts";
import { type Direction, fileHeader, packetBlock } from "./blocks.ts";
import { type NameConnection, SeenConnections } from "./connections.ts";
import type { PacketFilter } from "./packet_filter.ts";

/** Called with complete blocks, each in an array of its own; the first is the file header. */
export type WriteBlock = (block: Uint8Array<ArrayBuffer>) => void;

/** A packet that can be copied into a block. */
export interface Recordable {
  readonly byteLength: number;
  copyTo(target: Uint8Array, at: number): void;
}

/** Options of {@link Recording}. */
export interface RecordingOptions {
  readonly name?: NameConnection | undefined;
  /** Packets that are recorded; default: all. */
  readonly filter?: PacketFilter | undefined;
  /** Whether there is room for another packet; packets without room are counted and dropped. Default: always. */
  readonly hasRoom?: (() => boolean) | undefined;
}

/** Writes the packets of one link to one file. */
export class Recording {
  /**
   * The error that ended the recording, thrown by `write` or by the callback that names
   * connections.
   */
  failure: unknown = undefined;
  readonly #write: WriteBlock;
  readonly #connections: SeenConnections;
  readonly #ip = new IpHeader();
  readonly #filter: PacketFilter | undefined;
  readonly #hasRoom: () => boolean;
  #candidate = new Uint8Array(0);
  /** Number of packets that the filter has selected, and of those dropped for lack of room. */
  selected = 0;
  dropped = 0;

  /** Writes the file header. */
  constructor(write: WriteBlock, linkName: string, options: RecordingOptions = {}) {
    const { name = () => undefined, filter, hasRoom = () => true } = options;
    this.#write = write;
    this.#connections = new SeenConnections(name);
    this.#filter = filter;
    this.#hasRoom = hasRoom;
    this.#attempt(() => write(fileHeader(linkName)));
  }

  /** Records a packet. If `isPartial`, its checksum is left to offload and has to be completed. */
  take(packet: Recordable, ms: number, direction: Direction, isPartial: boolean): void {
    if (this.failure !== undefined) return;
    if (this.#filter !== undefined && !this.#selects(packet, this.#filter)) return;
    this.selected++;
    if (!this.#hasRoom()) {
      this.dropped++;
      return;
    }
    this.#attempt(() => this.#write(this.#block(packet, ms, direction, isPartial)));
  }

  #selects(packet: Recordable, filter: PacketFilter): boolean {
    const size = packet.byteLength;
    if (this.#candidate.length < size) this.#candidate = new Uint8Array(Math.max(size, 2048));
    packet.copyTo(this.#candidate, 0);
    return parseIp(this.#candidate, size, this.#ip) === undefined &&
      filter(this.#ip, this.#candidate);
  }

  #block(
    packet: Recordable,
    ms: number,
    direction: Direction,
    isPartial: boolean,
  ): Uint8Array<ArrayBuffer> {
    const size = packet.byteLength;
    const { bytes, at } = packetBlock(size, ms, direction, undefined);
    packet.copyTo(bytes, at);
    const recorded = bytes.subarray(at, at + size);
    if (parseIp(recorded, size, this.#ip) !== undefined) return bytes;
    if (isPartial) completeChecksum(this.#ip, recorded);
    const comment = this.#connections.commentFor(this.#ip, recorded, direction);
    if (comment === undefined) return bytes;
    const commented = packetBlock(size, ms, direction, comment);
    commented.bytes.set(recorded, commented.at);
    return commented.bytes;
  }

  /** Errors of the recording must not affect the link. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.failure = error ?? new Error("the recording failed");
    }
  }
}

/** The checksum field holds the pseudo-header sum, so summing the whole segment completes it. */
function completeChecksum(ip: IpHeader, packet: Uint8Array): void {
  if (ip.isFragment || (ip.protocol !== PROTOCOL.TCP && ip.protocol !== PROTOCOL.UDP)) return;
  const at = ip.payloadStart + (ip.protocol === PROTOCOL.TCP ? 16 : 6);
  if (at + 2 > ip.payloadEnd) return;
  const checksum = finish(addBytes(0, packet, ip.payloadStart, ip.payloadEnd));
  // A UDP checksum of 0 means none (RFC 768).
  writeU16(packet, at, checksum === 0 && ip.protocol === PROTOCOL.UDP ? 0xffff : checksum);
}
