/**
 * What two addresses and ports say to each other over UDP.
 *
 * @module
 */
import type { Source } from "../buffers/sources.ts";
import type { IpAddress } from "../wire/address.ts";
import { DatagramQueue, type QueueMemory } from "./datagram.ts";
import type { FlowPort } from "./ports.ts";

/** What the network says about what was sent: nobody is there, or no way leads there. */
export type FlowError = "CONNECTION_REFUSED" | "UNREACHABLE";

/** Why nothing takes the datagrams of a flow: an ICMP error says so to who sends them. */
export type FlowRefusal = "port" | "host" | "prohibited";

/** Why a flow takes no more datagrams. */
export type FlowEnd = "idle" | "evicted" | "closed" | "stopped" | FlowError;

const NOTHING = new Uint8Array();

/** One flow; it is in the table as long as `end` is not set. */
export class Flow {
  readonly port: FlowPort;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly queue: DatagramQueue;
  /** Who has begun it, with the others of the same source. */
  readonly source: Source<Flow>;
  /** The packet that it began with, as much of it as an ICMP error about the flow quotes. */
  opening: Uint8Array = NOTHING;
  /** Milliseconds without a datagram, either way, after which it ends. */
  idleMs: number;
  /** When it ends if nothing more comes or goes. */
  earliestTimer: number = Infinity;
  /** Set: no more datagrams come. */
  end: FlowEnd | undefined;
  /** Whose it is; the core never looks at it. */
  handle: unknown = undefined;
  /** Its owner has something to look at. */
  inNews = false;
  /** Of the table. */
  hash = 0;
  hashNext: Flow | undefined = undefined;
  /** Of the heap of deadlines. */
  heapIndex = -1;
  scheduledAt: number = Infinity;

  constructor(
    port: FlowPort,
    memory: QueueMemory,
    idleMs: number,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    source: Source<Flow>,
  ) {
    this.port = port;
    this.queue = new DatagramQueue(memory, source);
    this.source = source;
    this.idleMs = idleMs;
    this.local = local;
    this.localPort = localPort;
    this.remote = remote;
    this.remotePort = remotePort;
  }

  /** Something came or went. */
  touch(now: number): void {
    this.earliestTimer = now + this.idleMs;
  }
}
