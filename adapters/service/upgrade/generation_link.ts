/**
 * A device that several processes of a service share during an upgrade.
 *
 * @module
 */
import { Queue } from "../../../core/buffers/queue.ts";
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";
import {
  type GenerationPacket,
  Generations,
  MAX_EARLIER_ENDPOINTS,
  NEWEST,
  NO_PROCESS_ASKED,
} from "../../../core/stack/sharding/generations.ts";
import type { ShardPacket } from "../../../core/stack/sharding/shard.ts";
import { closeAll } from "../moves/attachments.ts";
import { MessageSocket } from "../../host/native/message_socket.ts";
import type { NativeSockets } from "../../host/native/sockets.ts";
import { JoinedWait } from "../../links/joined_wait.ts";
import type { Device } from "../../links/tun/device.ts";
import type { TunLink } from "../../links/tun/link.ts";
import {
  endpointMessages,
  KIND,
  type PacketMessage,
  packetMessage,
  readEndpoints,
  readPacket,
} from "./messages.ts";
import { MAX_MOVE_BYTES, MovePartReader, partsOf, type WholeMessage } from "./move_parts.ts";

/** Maximum number of bytes of packets that wait for another process, and of packets from other processes. */
export const MAX_WAITING_BYTES: number = 4 * 1024 * 1024;
/** Room for the list of all endpoints, and for a connection that moves, besides packets. */
const MAX_MESSAGE_BYTES = MAX_WAITING_BYTES + 48 * MAX_EARLIER_ENDPOINTS + MAX_MOVE_BYTES;

/** A channel to an earlier process. */
export interface EarlierChannel {
  /** The number of the process. */
  readonly number: number;
  readonly descriptor: number;
}

/** Counters of packets between processes. */
type Counter =
  | "toEarlier"
  | "toNewer"
  | "fromEarlier"
  | "fromNewer"
  | "drop.generation-full" // too much waits for the other process
  | "drop.generation-gone" // the other process has ended
  | "drop.generation-invalid"; // not a message of this version

/** Handles messages of other processes about connections that move. */
export interface MoveHandler {
  /** A message has arrived from an earlier process, or from {@link NEWEST}. The callee owns the descriptors. */
  onMessage(from: number, message: WholeMessage): void;
  /** Called when no further message can arrive from a process. */
  onGone(from: number): void;
}

/** A queue of a device, and channels to the other processes that have it. */
export class GenerationLink implements Link {
  readonly name: string;
  readonly features: LinkFeatures;
  /** Called when this process takes over, before it receives packets of the device. */
  onTakeOver: () => void = () => {};
  /** Moves connections; without it, messages about them are ignored. */
  moves: MoveHandler | undefined;
  readonly #device: TunLink;
  readonly #sockets: NativeSockets;
  readonly #generations: Generations;
  readonly #earlier = new Map<number, MessageSocket>();
  #newer: MessageSocket | undefined;
  readonly #arrived = new Queue<PacketMessage>();
  #arrivedBytes = 0;
  readonly #wait: JoinedWait;
  readonly #counts = new Map<Counter, number>();
  /** Parts of messages, by the number of the process. */
  readonly #parts = new Map<number, MovePartReader>();

  /** Owns the device. `number` is the number of this process, counted from 1; `seed` has 32 random bits. */
  constructor(device: TunLink, number: number, seed: number, sockets: NativeSockets) {
    this.name = device.name;
    this.#device = device;
    this.#wait = new JoinedWait(device);
    this.#sockets = sockets;
    this.#generations = new Generations(number, seed);
    this.features = { ...device.features, generations: this.#generations };
  }

  /**
   * Waits until the process `number` hands over. It is the newest of the earlier processes; the others
   * are those that it has channels to.
   *
   * @throws {Error} A descriptor cannot be used.
   */
  await(number: number, descriptor: number, others: readonly EarlierChannel[]): void {
    this.#device.pause();
    for (const other of others) {
      const socket = this.#openEarlier(other.number, other.descriptor);
      socket.pause();
    }
    this.#openEarlier(number, descriptor);
  }

  /** The device, for the process that takes over. */
  get device(): Device {
    return this.#device.device;
  }

  /** The channels to earlier processes, for the process that takes over. */
  get earlier(): readonly EarlierChannel[] {
    return [...this.#earlier].map(([number, { descriptor }]) => ({ number, descriptor }));
  }

  /** Stops receiving packets of the device and of earlier processes, so that another process receives them. */
  pause(): void {
    this.#device.pause();
    for (const socket of this.#earlier.values()) socket.pause();
    for (const number of this.#earlier.keys()) this.#endMoves(number);
  }

  /**
   * Hands over to the process at the other end of `descriptor`.
   *
   * @throws {Error} The descriptor cannot be used; nothing has changed.
   */
  retire(descriptor: number): void {
    const newer = MessageSocket.open(this.#sockets, descriptor, {
      maxWaiting: MAX_MESSAGE_BYTES,
      onMessage: (bytes, descriptors) => this.#takeFromNewer(bytes, descriptors),
      onClose: () => {
        this.#newer = undefined;
        this.#endMoves(NEWEST);
      },
    });
    this.pause();
    this.#generations.isRetired = true;
    this.#newer = newer;
    for (const message of endpointMessages(this.#generations.endpoints())) newer.send(message);
    newer.send(new Uint8Array([KIND.TAKE_OVER]));
  }

  /** Receives the device's packets again, because the process that took over has ended. */
  resume(): void {
    this.#newer?.close();
    this.#newer = undefined;
    this.#endMoves(NEWEST);
    this.#generations.isRetired = false;
    for (const socket of this.#earlier.values()) socket.resume();
    this.#device.resume();
    this.#wait.wake();
  }

  receive(batch: PacketBatch): number {
    if (this.#arrived.count === 0) {
      // This call may receive packets of other processes too.
      const count = this.#device.receive(batch);
      this.#generations.asked = NO_PROCESS_ASKED;
      if (count > 0 || this.#arrived.count === 0) return count;
    }
    return this.#receiveForwarded(batch);
  }

  ready(): Promise<boolean> {
    return this.#wait.ready(this.#arrived.count > 0);
  }

  send(packet: OutgoingPacket): boolean {
    return this.#device.send(packet);
  }

  forwardToShard(foreign: ShardPacket | GenerationPacket): boolean {
    if (!("generation" in foreign)) return false;
    const isNewest = foreign.generation === NEWEST;
    const socket = isNewest ? this.#newer : this.#earlier.get(foreign.generation);
    if (socket === undefined) return this.#count("drop.generation-gone", false);
    if (socket.waiting + foreign.packet.length > MAX_WAITING_BYTES) {
      return this.#count("drop.generation-full", false);
    }
    if (!socket.send(packetMessage(foreign))) return this.#count("drop.generation-gone", false);
    return this.#count(isNewest ? "toNewer" : "toEarlier", true);
  }

  /**
   * Sends a message about the connection `id` to an earlier process, or to {@link NEWEST}. Returns false if it was
   * not sent because too many bytes wait, there is no room for descriptors, or the process has ended.
   */
  sendMove(to: number, id: number, message: Uint8Array, descriptors: readonly number[]): boolean {
    const socket = to === NEWEST ? this.#newer : this.#earlier.get(to);
    if (socket === undefined || socket.waiting > MAX_WAITING_BYTES) return false;
    let isFirst = true;
    for (const part of partsOf(id, message)) {
      if (!socket.send(part, isFirst ? descriptors : [])) {
        // The later parts always have room, unless the process has ended.
        return false;
      }
      isFirst = false;
    }
    return true;
  }

  stats(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  async close(): Promise<void> {
    for (const socket of this.#earlier.values()) socket.close();
    this.#newer?.close();
    await this.#device.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #openEarlier(number: number, descriptor: number): MessageSocket {
    const socket = MessageSocket.open(this.#sockets, descriptor, {
      maxWaiting: MAX_MESSAGE_BYTES,
      onMessage: (bytes, descriptors) => this.#takeFromEarlier(number, bytes, descriptors),
      onClose: () => {
        this.#earlier.delete(number);
        this.#generations.removeEarlier(number);
        this.#endMoves(number);
      },
    });
    this.#earlier.set(number, socket);
    this.#generations.addEarlier(number);
    return socket;
  }

  #takeFromEarlier(
    number: number,
    bytes: Uint8Array<ArrayBuffer>,
    descriptors: readonly number[],
  ): void {
    if (bytes[0] === KIND.MOVE) return this.#takeMove(number, bytes, descriptors);
    closeAll(this.#sockets, descriptors);
    switch (bytes[0]) {
      case KIND.ENDPOINTS:
        for (const endpoint of readEndpoints(bytes)) this.#generations.learn(endpoint);
        return;
      case KIND.TAKE_OVER:
        this.onTakeOver();
        for (const socket of this.#earlier.values()) socket.resume();
        this.#device.resume();
        return this.#wait.wake();
      default:
        this.#takePacket(bytes, "fromEarlier");
    }
  }

  #takeFromNewer(bytes: Uint8Array<ArrayBuffer>, descriptors: readonly number[]): void {
    if (bytes[0] === KIND.MOVE) return this.#takeMove(NEWEST, bytes, descriptors);
    closeAll(this.#sockets, descriptors);
    this.#takePacket(bytes, "fromNewer");
  }

  #takeMove(
    from: number,
    bytes: Uint8Array<ArrayBuffer>,
    descriptors: readonly number[],
  ): void {
    let reader = this.#parts.get(from);
    if (reader === undefined) {
      reader = new MovePartReader((unused) => closeAll(this.#sockets, unused));
      this.#parts.set(from, reader);
    }
    const message = reader.take(bytes, descriptors);
    if (message === undefined) return;
    if (this.moves === undefined) closeAll(this.#sockets, message.descriptors);
    else this.moves.onMessage(from, message);
  }

  #endMoves(from: number): void {
    this.#parts.get(from)?.drop();
    this.#parts.delete(from);
    this.moves?.onGone(from);
  }

  #takePacket(bytes: Uint8Array<ArrayBuffer>, from: "fromEarlier" | "fromNewer"): void {
    const message = bytes[0] === KIND.PACKET ? readPacket(bytes) : undefined;
    if (message === undefined) return void this.#count("drop.generation-invalid", false);
    if (this.#arrivedBytes > MAX_WAITING_BYTES) {
      return void this.#count("drop.generation-full", false);
    }
    this.#arrived.push(message);
    this.#arrivedBytes += message.packet.length;
    this.#count(from, true);
    this.#wait.wake();
  }

  /** Receives packets that other processes have passed on. All packets of a batch have the same `asked`. */
  #receiveForwarded(batch: PacketBatch): number {
    let count = 0;
    while (count < batch.capacity) {
      const next = this.#arrived.peek();
      if (next === undefined || (count > 0 && next.asked !== this.#generations.asked)) break;
      this.#arrived.shift();
      const { packet, segmentSize, asked } = next;
      this.#arrivedBytes -= packet.length;
      this.#generations.asked = asked;
      batch.packets[count] = packet;
      batch.sizes[count] = packet.length;
      batch.checksums[count] = "verified";
      batch.segmentSizes[count] = segmentSize;
      count++;
    }
    return count;
  }

  #count<T>(counter: Counter, result: T): T {
    this.#counts.set(counter, (this.#counts.get(counter) ?? 0) + 1);
    return result;
  }
}
