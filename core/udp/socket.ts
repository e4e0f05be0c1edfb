/**
 * A UDP socket: takes all datagrams of a binding, from any peer.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";
import { DatagramQueue, type QueueMemory } from "./datagram.ts";
import type { FlowError } from "./flow.ts";

/** Maximum number of queued ICMP errors; more are discarded. */
const MAX_ERRORS = 64;

/** An ICMP error about a datagram that was sent. */
export interface DatagramError {
  readonly reason: FlowError;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
}

/** A socket: receives all datagrams to its binding, from any peer. */
export class UdpSocket {
  readonly queue: DatagramQueue;
  readonly errors: DatagramError[] = [];
  /** The owner's object; opaque to the core. */
  handle: unknown = undefined;
  /** Whether it is in the event queue. */
  inNotificationQueue = false;
  closed = false;

  constructor(memory: QueueMemory) {
    this.queue = new DatagramQueue(memory);
  }

  /** Queues an ICMP error. */
  tell(error: DatagramError): void {
    if (this.errors.length < MAX_ERRORS) this.errors.push(error);
  }
}
