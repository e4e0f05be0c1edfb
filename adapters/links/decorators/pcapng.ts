import type { Clock } from "../../../core/api/environment.ts";
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";
import type { NameConnection } from "./pcapng/connections.ts";
import { compileFilter } from "./pcapng/packet_filter.ts";
import { type Recordable, Recording, type WriteBlock } from "./pcapng/recording.ts";

export type { CapturedConnection, NameConnection } from "./pcapng/connections.ts";
export type { WriteBlock } from "./pcapng/recording.ts";

/** Options of {@link pcapng}. */
export interface PcapngOptions {
  /** Clock for the timestamps. Default the runtime's clock. */
  clock?: Pick<Clock, "now">;
  /** Time of the clock's 0 in milliseconds since 1970. Default the start of this process. */
  epochMs?: number;
  /**
   * Returns a name for a connection, which the comment on its first packet shows along with the
   * addresses. Called once for each connection and recording.
   */
  nameConnection?: NameConnection;
}

/** Options of {@link CapturedLink.record}. */
export interface RecordOptions {
  /**
   * Packets that are recorded, in a subset of the syntax of pcap-filter(7): `host`, `net`, `port` and
   * `portrange`, each optionally preceded by `src` or `dst`, `tcp`, `udp`, `icmp`, `icmp6`, `ip`, `ip6`, `and`, `or`,
   * `not` and parentheses: `"tcp port 80 and not host 10.0.0.9"`. Default: all packets.
   */
  filter?: string;
  /** Called before each packet; if it returns false, the packet is counted and not written. */
  hasRoom?: () => boolean;
}

/** A recording in progress, started by {@link CapturedLink.record}. */
export interface LinkRecording {
  /** Ends the recording. */
  stop(): void;
  /**
   * The error thrown by `write` or `nameConnection`, which ended the recording but did not affect
   * the link.
   */
  readonly failure: unknown;
  /** Number of packets that the filter has selected. */
  readonly selected: number;
  /** Number of selected packets that were not written for lack of room. */
  readonly dropped: number;
}

/**
 * Records what a link sends and receives in the pcapng format, for Wireshark and tcpdump.
 *
 * Recordings can be started and stopped while the link is in use; without one, packets just pass
 * through. Each packet is recorded with its direction and a timestamp in nanoseconds. The first
 * packet of each TCP connection and UDP flow has a comment with addresses and name. Super-packets
 * are recorded whole, as on a kernel device; checksums left to offload are completed in the
 * recording. A recording remembers 65,536 connections.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair, pcapng } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * const watched = pcapng(here);
 * const blocks: Uint8Array[] = []; // together they are a file for Wireshark
 * const recording = watched.record((block) => blocks.push(block));
 * await using server = createStack({ link: watched, addresses: ["10.0.0.1/24"] });
 * server.use(7, echo());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7");
 * await socket.opened;
 * recording.stop();
 * if (blocks.length < 3) throw new Error("nothing recorded"); // a header and the segments
 * ```
 */
export function pcapng(link: Link, options: PcapngOptions = {}): CapturedLink {
  return new CapturedLink(link, options);
}

/**
 * A link that can be recorded; created by {@link pcapng}.
 *
 * @example
 * ```ts
 * import { type CapturedLink, linkPair, pcapng } from "@berth/berth/links";
 *
 * const [link, other] = linkPair();
 * await using watched: CapturedLink = pcapng(link);
 * let bytes = 0;
 * const recording = watched.record((block) => void (bytes += block.length), { filter: "icmp" });
 * recording.stop();
 * console.log(`${recording.selected} packets, ${bytes} bytes with the header of the file`);
 * await other.close();
 * ```
 */
export class CapturedLink implements Link {
  /** The name of the underlying link. */
  readonly name: string;
  /** The features of the underlying link. */
  readonly features: LinkFeatures;
  /**
   * As in the underlying link.
   *
   * @internal
   */
  readonly forwardToShard?: NonNullable<Link["forwardToShard"]>;
  /** As in the underlying link. */
  readonly isFull?: (onRoom: () => void) => boolean;
  readonly #link: Link;
  readonly #now: () => number;
  readonly #nameConnection: NameConnection | undefined;
  readonly #recordings = new Set<Recording>();
  readonly #received = new ReceivedPacket();

  /** Called by {@link pcapng}. */
  constructor(
    link: Link,
    { clock = performance, epochMs = performance.timeOrigin, nameConnection }: PcapngOptions,
  ) {
    this.name = link.name;
    this.features = link.features;
    if (link.forwardToShard) this.forwardToShard = (foreign) => link.forwardToShard!(foreign);
    if (link.isFull) this.isFull = (onRoom) => link.isFull!(onRoom);
    this.#link = link;
    this.#now = () => epochMs + clock.now();
    this.#nameConnection = nameConnection;
  }

  /**
   * Starts a recording; several can be in progress at the same time.
   *
   * @param write Called with each block of the file. The first block is the file header, which can be repeated at the start of further files.
   * @throws {TypeError} The filter is not valid; the message says what is expected.
   */
  record(write: WriteBlock, { filter, hasRoom }: RecordOptions = {}): LinkRecording {
    const recording = new Recording(write, this.name, {
      name: this.#nameConnection,
      filter: filter === undefined ? undefined : compileFilter(filter),
      hasRoom,
    });
    this.#recordings.add(recording);
    return {
      stop: () => void this.#recordings.delete(recording),
      get failure() {
        return recording.failure;
      },
      get selected() {
        return recording.selected;
      },
      get dropped() {
        return recording.dropped;
      },
    };
  }

  /** See the underlying link. */
  receive(batch: PacketBatch): number {
    const count = this.#link.receive(batch);
    if (this.#recordings.size === 0) return count;
    for (let i = 0; i < count; i++) {
      this.#received.bytes = batch.packets[i]!;
      this.#received.byteLength = batch.sizes[i]!;
      this.#record(this.#received, "in", batch.checksums[i] === "partial");
    }
    return count;
  }

  /** See the underlying link. */
  ready(): Promise<boolean> {
    return this.#link.ready();
  }

  /** See the underlying link. */
  stats(): Readonly<Record<string, number>> {
    return this.#link.stats?.() ?? {};
  }

  /** Sends a packet, and records it unless the underlying link drops it. */
  send(packet: OutgoingPacket): boolean {
    const sent = this.#link.send(packet);
    if (sent && this.#recordings.size > 0) this.#record(packet, "out", packet.checksumPartial);
    return sent;
  }

  /** Ends all recordings and closes the underlying link. */
  close(): Promise<void> {
    this.#recordings.clear();
    return this.#link.close();
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #record(packet: Recordable, direction: "in" | "out", isPartial: boolean): void {
    const ms = this.#now();
    for (const recording of this.#recordings) {
      recording.take(packet, ms, direction, isPartial);
      if (recording.failure !== undefined) this.#recordings.delete(recording);
    }
  }
}

/** A packet of a batch; the object is reused. */
class ReceivedPacket implements Recordable {
  bytes: Uint8Array = new Uint8Array(0);
  byteLength = 0;

  copyTo(target: Uint8Array, at: number): void {
    target.set(this.bytes.subarray(0, this.byteLength), at);
  }
}
