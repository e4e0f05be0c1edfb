/**
 * A link whose stack exchanges messages with other instances over a UDP socket of the host.
 *
 * @module
 */
import type { HostPort } from "../../../core/api/host_port.ts";
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";
import { MAX_MESSAGE, type PeerMessage } from "../../../core/stack/peers/message.ts";
import type { PeerGroup } from "../../../core/stack/peers/peer_group.ts";
import { NO_PROCESS_ASKED } from "../../../core/stack/sharding/generations.ts";
import { type BoundDatagrams, datagramBuffers } from "../../host/bound_datagrams.ts";
import { JoinedWait } from "../../links/joined_wait.ts";

/**
 * Maximum number of messages received at a time. A small number leaves time for packets during a flood. A large one
 * shares the system call among forged messages, which are then dropped faster than they arrive, so that messages of
 * other instances are not lost.
 */
const MAX_MESSAGES = 32;
/**
 * While most messages are dropped, the messages of this many milliseconds are received together, because each wait
 * costs more than many messages.
 */
const HOLD_MS = 2;

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

/** Combines a link and the messages of other instances into one link. */
export class PeerLink implements Link {
  readonly name: string;
  readonly features: LinkFeatures;
  readonly isFull?: NonNullable<Link["isFull"]>;
  readonly forwardToShard?: NonNullable<Link["forwardToShard"]>;
  readonly #link: Link;
  readonly #transport: PeerTransport;
  readonly #messages = datagramBuffers(MAX_MESSAGES, MAX_MESSAGE);
  /** Number of messages received since the last wait, and number of messages that the stack had dropped by then. */
  #received = 0;
  #refused = 0;
  #hold: ReturnType<typeof setTimeout> | undefined;
  #messagesFirst = false;
  #undelivered = 0;
  readonly #wait: JoinedWait;

  /** Owns `link` and `transport`, which are closed with it. */
  constructor(link: Link, transport: PeerTransport) {
    this.name = link.name;
    this.features = { ...link.features, peers: transport.group };
    if (link.isFull) this.isFull = (onRoom) => link.isFull!(onRoom);
    if (link.forwardToShard) this.forwardToShard = (foreign) => link.forwardToShard!(foreign);
    this.#link = link;
    this.#wait = new JoinedWait(link);
    this.#transport = transport;
    transport.onReadable(() => this.#hold === undefined && this.#wait.wake());
  }

  /** Packets and messages take turns. */
  receive(batch: PacketBatch): number {
    this.#messagesFirst = !this.#messagesFirst;
    if (this.#messagesFirst) return this.#receiveMessages(batch) || this.#receivePackets(batch);
    // Receiving packets may show that messages have arrived, so messages come second.
    return this.#receivePackets(batch) || this.#receiveMessages(batch);
  }

  ready(): Promise<boolean> {
    this.#holdIfFlooded();
    return this.#wait.ready(this.#hold === undefined && this.#transport.socket.isReadable);
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
    clearTimeout(this.#hold);
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
    if (this.#hold !== undefined) return 0;
    const { generations } = this.features;
    if (generations !== undefined) generations.asked = NO_PROCESS_ASKED;
    const { buffers, sizes } = this.#messages;
    const count = this.#transport.socket.receive(this.#messages);
    this.#received += count;
    for (let i = 0; i < count; i++) {
      batch.packets[i] = buffers[i]!;
      batch.sizes[i] = sizes[i]!;
      batch.fromPeer[i] = 1;
    }
    return count;
  }

  /**
   * Stops receiving messages for {@link HOLD_MS} if at least half of the last ones were dropped; the host's kernel
   * queues them.
   */
  #holdIfFlooded(): void {
    const { group, socket } = this.#transport;
    const refused = group.refused - this.#refused;
    const isFlooded = refused > 0 && 2 * refused >= this.#received;
    this.#refused = group.refused;
    this.#received = 0;
    if (!isFlooded || this.#hold !== undefined) return;
    socket.pause();
    this.#hold = setTimeout(() => {
      this.#hold = undefined;
      // Another process of the instance may have taken over the socket by now.
      if (group.isActive) socket.resume();
      this.#wait.wake();
    }, HOLD_MS);
  }
}
