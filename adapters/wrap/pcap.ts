import type { Clock } from "../../core/api/environment.ts";
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";

/** What {@link pcap} takes. */
export interface PcapOptions {
  /** Tells the packets' times. Default the runtime's clock. */
  clock?: Pick<Clock, "now">;
  /** What the clock's 0 is, in milliseconds since 1970. Default the start of this process. */
  epochMs?: number;
}

/**
 * Records what a link sends and receives in the pcap format, which Wireshark and tcpdump read.
 * Packets whose checksum is left to offload, and super-packets, are recorded as they are.
 *
 * @param write Gets the file's bytes piece by piece, each an array of its own; what it throws goes
 * to whoever sends or receives.
 *
 * @example
 * ```ts
 * import { linkPair, pcap } from "@berth/berth";
 *
 * const pieces: Uint8Array[] = [];
 * const [left, right] = linkPair();
 * await using recorded = pcap(left, (piece) => pieces.push(piece));
 * await right.close();
 * ```
 */
export function pcap(
  link: Link,
  write: (bytes: Uint8Array<ArrayBuffer>) => void,
  options: PcapOptions = {},
): Link {
  return new PcapLink(link, write, options);
}

/** Larger than any packet. */
const SNAP_LENGTH = 262_144;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const LINKTYPE_RAW = 101;

class PcapLink implements Link {
  readonly name: string;
  readonly features: LinkFeatures;
  readonly #link: Link;
  readonly #write: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly #now: () => number;
  readonly #epochMs: number;

  constructor(
    link: Link,
    write: (bytes: Uint8Array<ArrayBuffer>) => void,
    { clock = performance, epochMs = performance.timeOrigin }: PcapOptions,
  ) {
    this.name = link.name;
    this.features = link.features;
    this.#link = link;
    this.#write = write;
    this.#now = () => clock.now();
    this.#epochMs = epochMs;
    write(pcapFileHeader());
  }

  receive(batch: PacketBatch): number {
    const count = this.#link.receive(batch);
    for (let i = 0; i < count; i++) {
      const size = batch.sizes[i]!;
      const record = this.#record(size);
      record.set(batch.packets[i]!.subarray(0, size), RECORD_HEADER);
      this.#write(record);
    }
    return count;
  }

  ready(): Promise<boolean> {
    return this.#link.ready();
  }

  send(packet: OutgoingPacket): boolean {
    const record = this.#record(packet.byteLength);
    packet.copyTo(record, RECORD_HEADER);
    const sent = this.#link.send(packet);
    if (sent) this.#write(record);
    return sent;
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #record(size: number): Uint8Array<ArrayBuffer> {
    return pcapRecord(size, this.#epochMs + this.#now());
  }
}

/** Bytes in front of each packet. */
export const RECORD_HEADER = 16;

/** A record's header, and room for a packet of `size` bytes that was seen at `ms` since 1970. */
export function pcapRecord(size: number, ms: number): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(RECORD_HEADER + size);
  const view = new DataView(record.buffer);
  const seconds = Math.floor(ms / 1000);
  view.setUint32(0, seconds, true);
  view.setUint32(4, Math.floor((ms - seconds * 1000) * 1e6), true);
  view.setUint32(8, size, true);
  view.setUint32(12, size, true);
  return record;
}

/** What a file begins with. */
export function pcapFileHeader(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC_NANOSECONDS, true);
  view.setUint16(4, 2, true); // major version
  view.setUint16(6, 4, true); // minor version
  view.setUint32(16, SNAP_LENGTH, true);
  view.setUint32(20, LINKTYPE_RAW, true);
  return bytes;
}
