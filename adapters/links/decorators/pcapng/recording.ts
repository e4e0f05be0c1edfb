import { writeU16 } from "../../../../core/wire/bytes.ts";
import { addBytes, finish } from "../../../../core/wire/checksum.ts";
import { IpHeader, parseIp, PROTOCOL } from "../../../../core/wire/ip.ts";
import { type Direction, fileHeader, packetBlock } from "./blocks.ts";
import { type NameConnection, SeenConnections } from "./connections.ts";

/** Takes whole blocks, each an array of its own; the first is what every file begins with. */
export type WriteBlock = (block: Uint8Array<ArrayBuffer>) => void;

/** A packet that knows how to write itself. */
export interface Recordable {
  readonly byteLength: number;
  copyTo(target: Uint8Array, at: number): void;
}

/** Packets of one link on their way into one file. */
export class Recording {
  /** What `write` or the naming of a connection threw: it ended the recording. */
  failure: unknown = undefined;
  readonly #write: WriteBlock;
  readonly #connections: SeenConnections;
  readonly #ip = new IpHeader();

  /** Begins the file. */
  constructor(write: WriteBlock, linkName: string, name: NameConnection = () => undefined) {
    this.#write = write;
    this.#connections = new SeenConnections(name);
    this.#attempt(() => write(fileHeader(linkName)));
  }

  /** Records a packet; `isPartial`: its checksum is left to offload. */
  take(packet: Recordable, ms: number, direction: Direction, isPartial: boolean): void {
    if (this.failure === undefined) {
      this.#attempt(() => this.#write(this.#block(packet, ms, direction, isPartial)));
    }
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
    const remark = this.#connections.remarkOn(this.#ip, recorded, direction);
    if (remark === undefined) return bytes;
    const remarked = packetBlock(size, ms, direction, remark);
    remarked.bytes.set(recorded, remarked.at);
    return remarked.bytes;
  }

  /** Whoever sends and receives is not to suffer from who watches. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.failure = error ?? new Error("the recording failed");
    }
  }
}

/** The field holds the pseudo-header's sum, so that the sum over all is what is missing. */
function completeChecksum(ip: IpHeader, packet: Uint8Array): void {
  if (ip.isFragment || (ip.protocol !== PROTOCOL.TCP && ip.protocol !== PROTOCOL.UDP)) return;
  const at = ip.payloadStart + (ip.protocol === PROTOCOL.TCP ? 16 : 6);
  if (at + 2 > ip.payloadEnd) return;
  const checksum = finish(addBytes(0, packet, ip.payloadStart, ip.payloadEnd));
  // A UDP checksum of 0 means none (RFC 768).
  writeU16(packet, at, checksum === 0 && ip.protocol === PROTOCOL.UDP ? 0xffff : checksum);
}
