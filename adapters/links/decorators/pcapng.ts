import type { Clock } from "../../../core/api/environment.ts";
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";
import type { ShardPacket } from "../../../core/stack/sharding/shard.ts";
import type { NameConnection } from "./pcapng/connections.ts";
import { type Recordable, Recording, type WriteBlock } from "./pcapng/recording.ts";

export type { CapturedConnection, NameConnection } from "./pcapng/connections.ts";
export type { WriteBlock } from "./pcapng/recording.ts";

/** What {@link pcapng} takes. */
export interface PcapngOptions {
  /** Tells the packets' times. Default the runtime's clock. */
  clock?: Pick<Clock, "now">;
  /** What the clock's 0 is, in milliseconds since 1970. Default the start of this process. */
  epochMs?: number;
  /**
   * Names a connection, for the comment on its first packet, which has its addresses anyway. Called
   * once for each connection and recording.
   */
  nameConnection?: NameConnection;
}

/** A recording that goes on, of {@link CapturedLink.record}. */
export interface LinkRecording {
  /** Ends it. */
  stop(): void;
  /** What `write` threw, or `nameConnection`; it ended the recording and nothing else. */
  readonly failure: unknown;
}

/**
 * Records what a link sends and receives in the pcapng format, for Wireshark and tcpdump.
 *
 * Recordings begin and end while the link runs; where there is none, packets only pass. Each packet
 * has its direction and its time in nanoseconds, the first one of each TCP connection and UDP flow a
 * comment with its addresses and name. Super-packets are recorded whole, as a kernel's device shows
 * them; a checksum that is left to offload is recorded complete. A recording remembers 65,536
 * connections.
 *
 * @example
 * ```ts
 * import { createStack, echo, linkPair, pcapng } from "@berth/berth";
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

/** A link that can be recorded, made by {@link pcapng}. */
export class CapturedLink implements Link {
  /** The name of the link behind. */
  readonly name: string;
  /** The features of the link behind. */
  readonly features: LinkFeatures;
  /** What the link behind has. */
  readonly forwardToShard?: (foreign: ShardPacket) => boolean;
  readonly #link: Link;
  readonly #now: () => number;
  readonly #nameConnection: NameConnection | undefined;
  readonly #recordings = new Set<Recording>();
  readonly #received = new ReceivedPacket();

  /** For {@link pcapng}. */
  constructor(
    link: Link,
    { clock = performance, epochMs = performance.timeOrigin, nameConnection }: PcapngOptions,
  ) {
    this.name = link.name;
    this.features = link.features;
    if (link.forwardToShard) this.forwardToShard = (foreign) => link.forwardToShard!(foreign);
    this.#link = link;
    this.#now = () => epochMs + clock.now();
    this.#nameConnection = nameConnection;
  }

  /**
   * Begins a recording, beside those that run.
   *
   * @param write Gets the file block by block; the first is what a file begins with, so that whoever
   * goes on in another file can begin it in the same way.
   */
  record(write: WriteBlock): LinkRecording {
    const recording = new Recording(write, this.name, this.#nameConnection);
    this.#recordings.add(recording);
    return {
      stop: () => void this.#recordings.delete(recording),
      get failure() {
        return recording.failure;
      },
    };
  }

  /** As the link behind. */
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

  /** As the link behind. */
  ready(): Promise<boolean> {
    return this.#link.ready();
  }

  /** As the link behind. */
  stats(): Readonly<Record<string, number>> {
    return this.#link.stats?.() ?? {};
  }

  /** As the link behind; what that refuses was never on the wire and is not recorded. */
  send(packet: OutgoingPacket): boolean {
    const sent = this.#link.send(packet);
    if (sent && this.#recordings.size > 0) this.#record(packet, "out", packet.checksumPartial);
    return sent;
  }

  /** Ends all recordings and closes the link behind. */
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

/** A packet of a batch; one object serves all. */
class ReceivedPacket implements Recordable {
  bytes: Uint8Array = new Uint8Array(0);
  byteLength = 0;

  copyTo(target: Uint8Array, at: number): void {
    target.set(this.bytes.subarray(0, this.byteLength), at);
  }
}
