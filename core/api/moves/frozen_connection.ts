/**
 * A connection that was frozen, until its packets reach another stack.
 *
 * @module
 */
import type { MovedConnection, MovedPacket } from "../../stack/tcp/moved_connections.ts";
import { netAddr } from "../addresses.ts";
import type { Driver } from "../runtime/driver.ts";
import type { NetAddr, TcpSocket } from "../types.ts";
import type { Attachment, FrozenConnection, PacketSink } from "./types.ts";

/** Maximum size of the packets held for one connection, in bytes. */
export const MAX_HELD_BYTES: number = 256 * 1024;

/** The stack that the connection was frozen in. */
export interface FrozenHome {
  /** The names of the plugins that served it. */
  readonly plugin: string | undefined;
  /** Thaws it again. */
  resume(): TcpSocket;
  /** The connection will not resume. */
  over(): void;
}

/** Owner of a {@link MovedConnection} in the core. */
export class StackFrozenConnection implements FrozenConnection {
  readonly record: Uint8Array<ArrayBuffer>;
  readonly attachments: readonly Attachment[];
  readonly #home: FrozenHome;
  readonly #moved: MovedConnection;
  readonly #driver: Driver;
  #held: MovedPacket[] = [];
  #heldBytes = 0;
  #deliver: PacketSink | undefined;
  #isReleased = false;
  #isOver = false;

  constructor(
    record: Uint8Array<ArrayBuffer>,
    attachments: readonly Attachment[],
    moved: MovedConnection,
    driver: Driver,
    home: FrozenHome,
  ) {
    this.record = record;
    this.attachments = attachments;
    this.#moved = moved;
    this.#driver = driver;
    this.#home = home;
    moved.handle = this;
  }

  get plugin(): string | undefined {
    return this.#home.plugin;
  }

  get isAway(): boolean {
    return this.#moved.isAway;
  }

  get localAddr(): NetAddr {
    return netAddr(this.#moved.local, this.#moved.localPort);
  }

  get remoteAddr(): NetAddr {
    return netAddr(this.#moved.remote, this.#moved.remotePort);
  }

  redirect(deliver: PacketSink): void {
    this.#deliver = deliver;
    this.#end();
    this.#giveUpAttachments();
    for (const { packet, segmentSize } of this.#takeHeld()) deliver(packet, segmentSize);
  }

  resume(): TcpSocket {
    const socket = this.#home.resume();
    this.#isReleased = true;
    this.#end();
    for (const { packet, segmentSize } of this.#takeHeld()) {
      this.#driver.inject(packet, segmentSize);
    }
    return socket;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#end();
    this.#giveUpAttachments();
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

  #giveUpAttachments(): void {
    for (const attachment of this.attachments) attachment.release();
  }

  #end(): void {
    if (!this.#isOver) this.#home.over();
    this.#isOver = true;
  }

  #takeHeld(): MovedPacket[] {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    return held;
  }
}
