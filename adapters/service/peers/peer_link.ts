/**
 * A link whose stack exchanges messages with other instances over a UDP socket of the host.
 *
 * @module
 */
import type { HostPort } from "../../../core/api/host_port.ts";
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";
import type { PeerMessage } from "../../../core/stack/peers/message.ts";
import type { PeerGroup } from "../../../core/stack/peers/peer_group.ts";
import { NO_PROCESS_ASKED } from "../../../core/stack/sharding/generations.ts";
import type { BoundDatagrams } from "../../host/bound_datagrams.ts";

/** Messages received at a time, so that a flood of them leaves room for packets. */
const MAX_MESSAGES = 8;
/** Room for the largest datagram. */
const BUFFER_SIZE = 65_536;

/** The UDP socket and the addresses of the other instances. */
export interface PeerTransport {
  readonly group: PeerGroup;
  readonly socket: BoundDatagrams;
  /** The address of another instance, if it is known. */
  addressOf(instance: number): HostPort | undefined;
  /** Calls `wake` instead of the previous function when messages have arrived. */
  onReadable(wake: () => void): void;
  /** Closes the socket. */
  close(): void;
}

/** Another link and the messages of the other instances as one. */
export class PeerLink implements Link {
  readonly name: string;
  readonly features: LinkFeatures;
  readonly isFull?: NonNullable<Link["isFull"]>;
  readonly forwardToShard?: NonNullable<Link["forwardToShard"]>;
  readonly #link: Link;
  readonly #transport: PeerTransport;
  readonly #buffers = Array.from({ length: MAX_MESSAGES }, () => new Uint8Array(BUFFER_SIZE));
  #isWaiting = false;
  #messagesFirst = false;
  #undelivered = 0;
  #waiter: { resolve(isOpen: boolean): void; reject(error: unknown): void } | undefined;

  /** Owns `link` and `transport`: they are closed with it. */
  constructor(link: Link, transport: PeerTransport) {
    this.name = link.name;
    this.features = { ...link.features, peers: transport.group };
    if (link.isFull) this.isFull = (onRoom) => link.isFull!(onRoom);
    if (link.forwardToShard) this.forwardToShard = (foreign) => link.forwardToShard!(foreign);
    this.#link = link;
    this.#transport = transport;
    transport.onReadable(() => this.#waiter?.resolve(true));
  }

  /** Packets and messages take turns. */
  receive(batch: PacketBatch): number {
    this.#messagesFirst = !this.#messagesFirst;
    if (this.#messagesFirst) return this.#receiveMessages(batch) || this.#receivePackets(batch);
    // The link may find out that there are messages.
    return this.#receivePackets(batch) || this.#receiveMessages(batch);
  }

  ready(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      if (this.#transport.socket.isReadable) resolve(true);
      this.#waitForLink();
    });
  }

  send(packet: OutgoingPacket): boolean {
    return this.#link.send(packet);
  }

  sendToPeer({ to, bytes }: PeerMessage): boolean {
    const address = this.#transport.addressOf(to);
    if (address !== undefined && this.#transport.socket.send(bytes, address)) return true;
    this.#undelivered++;
    return false;
  }

  stats(): Readonly<Record<string, number>> {
    return { ...this.#link.stats?.(), "peers.drop.send": this.#undelivered };
  }

  async close(): Promise<void> {
    this.#transport.close();
    await this.#link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #receivePackets(batch: PacketBatch): number {
    const count = this.#link.receive(batch);
    batch.fromPeer.fill(0, 0, count);
    return count;
  }

  #receiveMessages(batch: PacketBatch): number {
    const { generations } = this.features;
    if (generations !== undefined) generations.asked = NO_PROCESS_ASKED;
    const room = Math.min(batch.capacity, MAX_MESSAGES);
    for (let count = 0; count < room; count++) {
      const buffer = this.#buffers[count]!;
      const length = this.#transport.socket.receive(buffer);
      if (length < 0) return count;
      batch.packets[count] = buffer;
      batch.sizes[count] = length;
      batch.fromPeer[count] = 1;
    }
    return room;
  }

  /** At most one wait at a time; it may outlast the `ready()` that started it. */
  #waitForLink(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#link.ready().then((isOpen) => {
      this.#isWaiting = false;
      this.#waiter?.resolve(isOpen);
    }, (error: unknown) => {
      this.#isWaiting = false;
      this.#waiter?.reject(error);
    });
  }
}
