/**
 * Connections that have moved away: segments that still arrive for them are queued for the owner of the move.
 *
 * @module
 */
import { Queue } from "../../buffers/queue.ts";
import type { IpAddress } from "../../wire/address.ts";
import type { IpHeader } from "../../wire/ip.ts";
import { EndpointTable, type TableEntry } from "../endpoint_table.ts";

/** A connection that has moved away. */
export class MovedConnection implements TableEntry<MovedConnection> {
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  hash = 0;
  hashNext: MovedConnection | undefined = undefined;
  /** The owner's object; opaque to the core. */
  handle: unknown = undefined;
  /** Whether packets for it are queued; it may have moved back. */
  isAway = false;

  constructor(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number) {
    this.local = local;
    this.localPort = localPort;
    this.remote = remote;
    this.remotePort = remotePort;
  }
}

/** A packet for a connection that has moved. Its checksum has been verified. */
export interface MovedPacket {
  readonly connection: MovedConnection;
  /** A whole IP packet in memory of its own. */
  readonly packet: Uint8Array<ArrayBuffer>;
  /** Payload bytes per segment if it is a super-packet; otherwise 0. */
  readonly segmentSize: number;
}

/** The connections that have moved away from one stack. */
export class MovedConnections {
  readonly #table: EndpointTable<MovedConnection>;
  /** Bounded by the number of packets received since it was last drained. */
  readonly #packets = new Queue<MovedPacket>();

  /** `seed` keeps peers from predicting hash collisions. */
  constructor(seed: number) {
    this.#table = new EndpointTable(seed);
  }

  get count(): number {
    return this.#table.count;
  }

  add(connection: MovedConnection): void {
    connection.isAway = true;
    this.#table.add(connection);
  }

  remove(connection: MovedConnection): void {
    connection.isAway = false;
    this.#table.remove(connection);
  }

  /** The entry for a 4-tuple. */
  get(
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ): MovedConnection | undefined {
    return this.#table.get(local, localPort, remote, remotePort);
  }

  /** The entry for a received segment. */
  find(ip: IpHeader, remotePort: number, localPort: number): MovedConnection | undefined {
    return this.#table.count === 0 ? undefined : this.#table.find(ip, remotePort, localPort);
  }

  /** Queues a packet. */
  keep(connection: MovedConnection, packet: Uint8Array<ArrayBuffer>, segmentSize: number): void {
    this.#packets.push({ connection, packet, segmentSize });
  }

  /** Removes the next packet from the queue. */
  next(): MovedPacket | undefined {
    return this.#packets.shift();
  }
}
