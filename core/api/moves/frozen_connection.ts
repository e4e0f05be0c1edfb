/**
 * A connection that was frozen, until its packets reach another stack.
 *
 * @module
 */
import type { MovedConnection, MovedPacket } from "../../stack/tcp/moved_connections.ts";
import { netAddr } from "../addresses.ts";
import type { Driver } from "../runtime/driver.ts";
import type { NetAddr, TcpSocket } from "../types.ts";
import type { FrozenConnection, PacketSink } from "./types.ts";

/** Maximum size of the packets held for one connection, in bytes. */
export const MAX_HELD_BYTES: number = 256 * 1024;

/** Owner of a {@link MovedConnection} in the core. */
export class StackFrozenConnection implements FrozenConnection {
  readonly record: Uint8Array<ArrayBuffer>;
  readonly plugin: string | undefined;
  readonly #moved: MovedConnection;
  readonly #driver: Driver;
  readonly #thaw: () => TcpSocket;
  #held: MovedPacket[] = [];
  #heldBytes = 0;
  #deliver: PacketSink | undefined;
  #isReleased = false;

  /** `thaw` thaws the record in the same stack. */
  constructor(
    record: Uint8Array<ArrayBuffer>,
    plugin: string | undefined,
    moved: MovedConnection,
    driver: Driver,
    thaw: () => TcpSocket,
  ) {
    this.record = record;
    this.plugin = plugin;
    this.#moved = moved;
    this.#driver = driver;
    this.#thaw = thaw;
    moved.handle = this;
  }

  get localAddr(): NetAddr {
    return netAddr(this.#moved.local, this.#moved.localPort);
  }

  get remoteAddr(): NetAddr {
    return netAddr(this.#moved.remote, this.#moved.remotePort);
  }

  redirect(deliver: PacketSink): void {
    this.#deliver = deliver;
    for (const { packet, segmentSize } of this.#takeHeld()) deliver(packet, segmentSize);
  }

  resume(): TcpSocket {
    const socket = this.#thaw();
    this.#isReleased = true;
    for (const { packet, segmentSize } of this.#takeHeld()) {
      this.#driver.inject(packet, segmentSize);
    }
    return socket;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#takeHeld();
    this.#driver.core.tcp.forgetMoved(this.#moved);
  }

  /** Called by the driver for each packet that arrives for the connection. */
  onPacket(packet: MovedPacket): void {
    if (this.#deliver !== undefined) return this.#deliver(packet.packet, packet.segmentSize);
    const isFull = this.#heldBytes + packet.packet.length > MAX_HELD_BYTES;
    if (isFull || this.#isReleased) {
      this.#driver.core.stats.drop("tcp-frozen");
      return;
    }
    this.#held.push(packet);
    this.#heldBytes += packet.packet.length;
  }

  #takeHeld(): MovedPacket[] {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    return held;
  }
}
