/**
 * Who takes the datagrams of a place: a socket takes them all, a flow port one flow for each peer.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";
import { DatagramQueue, type QueueMemory } from "./datagram.ts";
import type { Flow, FlowError } from "./flow.ts";

/** ICMP errors that wait to be looked at, at most; more are forgotten. */
const MAX_ERRORS = 64;

/** What the network says about a datagram that was sent. */
export interface DatagramError {
  readonly reason: FlowError;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
}

/** All datagrams of a place, whoever sent them. */
export class UdpSocket {
  readonly queue: DatagramQueue;
  readonly errors: DatagramError[] = [];
  /** Whose it is; the core never looks at it. */
  handle: unknown = undefined;
  /** Its owner has something to look at. */
  inNews = false;
  closed = false;

  constructor(memory: QueueMemory) {
    this.queue = new DatagramQueue(memory);
  }

  /** Keeps an ICMP error. */
  tell(error: DatagramError): void {
    if (this.errors.length < MAX_ERRORS) this.errors.push(error);
  }
}

/** The flows of a place. */
export class FlowPort {
  /** Flows that nobody has looked at yet: their owner looks after each burst of packets. */
  readonly fresh: Flow[] = [];
  /** Whose it is; the core never looks at it. */
  handle: unknown = undefined;
  /** Its owner has something to look at. */
  inNews = false;
  closed = false;
}
