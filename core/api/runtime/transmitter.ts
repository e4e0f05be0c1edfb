/**
 * Sends the core's packets over the link. While the link is full, data stays in the core, which
 * builds a segment only on request.
 *
 * @module
 */
import { OutgoingPacket } from "../../buffers/outgoing_packet.ts";
import type { Link } from "../../stack/link.ts";
import type { CoreStack } from "../../stack/stack.ts";
import type { Clock } from "../environment.ts";

/**
 * How long to wait for a full link. After that, packets are dropped as on any other link, so that
 * connections to a peer that accepts nothing time out.
 */
const STALL_MS = 1000;
/**
 * The wait is divided into this many timers. If the event loop is busy, they fire late, and the
 * peer gets a turn between them.
 */
const STALL_TICKS = 4;

/** Passes the core's packets to one link. */
export class Transmitter {
  readonly #core: CoreStack;
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #onRoom: () => void;
  readonly #out = new OutgoingPacket();
  readonly #roomCallback = () => this.#takeRoom();
  /** Ticks since the link became full; 0: it has room. */
  #ticks = 0;
  #cancelTick: (() => void) | undefined;
  #isStopped = false;

  /** `onRoom` is called when the link has room again, or the wait for it is over. */
  constructor(core: CoreStack, link: Link, clock: Clock, onRoom: () => void) {
    this.#core = core;
    this.#link = link;
    this.#clock = clock;
    this.#onRoom = onRoom;
  }

  /** Sends everything there is, or as much as the link has room for. */
  drain(now: number): void {
    const core = this.#core;
    while (!this.#mustWait() && core.pollTransmit(this.#out, now)) {
      if (!this.#link.send(this.#out)) core.stats.linkFull++;
    }
    for (let one = core.sharding.next(); one !== undefined; one = core.sharding.next()) {
      if (!this.#link.forwardToShard?.(one)) core.stats.linkFull++;
    }
    if (core.peers === undefined) return;
    for (let one = core.peers.next(); one !== undefined; one = core.peers.next()) {
      if (!this.#link.sendToPeer?.(one)) core.stats.linkFull++;
    }
  }

  /** Stops waiting for a full link. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTick?.();
  }

  #mustWait(): boolean {
    if (this.#link.isFull === undefined || this.#isStopped) return false;
    if (!this.#link.isFull(this.#roomCallback)) return false;
    if (this.#ticks === 0) this.#startTicking();
    return this.#ticks <= STALL_TICKS;
  }

  #startTicking(): void {
    this.#ticks++;
    this.#cancelTick = this.#clock.schedule(this.#clock.now() + STALL_MS / STALL_TICKS, () => {
      if (this.#ticks < STALL_TICKS) return this.#startTicking();
      this.#ticks++;
      this.#onRoom();
    });
  }

  #takeRoom(): void {
    this.#ticks = 0;
    this.#cancelTick?.();
    this.#onRoom();
  }
}
