/**
 * A UDP flow: the datagrams between two addresses and ports.
 *
 * @module
 */
import type { Source } from "../buffers/sources.ts";
import type { IpAddress } from "../wire/address.ts";
import { DatagramQueue, type QueueMemory } from "./datagram.ts";

/** Error reported by ICMP about a datagram that was sent. */
export type FlowError = "CONNECTION_REFUSED" | "UNREACHABLE";

/** Why a flow is refused; the sender receives the corresponding ICMP unreachable error. */
export type FlowRefusal = "port" | "host" | "prohibited";

/** Why a flow has ended. */
export type FlowEnd = "idle" | "evicted" | "closed" | "stopped" | FlowError;

const NOTHING = new Uint8Array();

/** One flow. It stays in the table until `end` is set. */
export class Flow {
  readonly port: FlowPort;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly queue: DatagramQueue;
  /** The source that began the flow, shared with its other flows. */
  readonly source: Source<Flow>;
  /** The part of the first packet that an ICMP error about the flow quotes. */
  opening: Uint8Array = NOTHING;
  /** Idle timeout in milliseconds, restarted by a datagram in either direction. */
  idleMs: number;
  /** When the idle timeout expires. */
  earliestTimer: number = Infinity;
  /** Set once the flow has ended and receives no more datagrams. */
  end: FlowEnd | undefined;
  /** The owner's object; opaque to the core. */
  handle: unknown = undefined;
  /** Whether it is in the event queue. */
  inNotificationQueue = false;
  /** Used by the table. */
  hash = 0;
  hashNext: Flow | undefined = undefined;
  /** Used by the heap of deadlines. */
  heapIndex = -1;

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

  /** Restarts the idle timeout. */
  touch(now: number): void {
    this.earliestTimer = now + this.idleMs;
  }
}

/** The flows of one binding. */
export class FlowPort {
  /** New flows that the owner has not taken yet; it takes them after each burst of packets. */
  readonly fresh: Flow[] = [];
  /** The owner's object; opaque to the core. */
  handle: unknown = undefined;
  /** Whether it is in the event queue. */
  inNotificationQueue = false;
  closed = false;
}
