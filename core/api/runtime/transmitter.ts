/**
 * The core's packets on their way to the link. While the link is full they stay in the core, which
 * builds a segment only when it is asked for one.
 *
 * @module
 */
import { OutgoingPacket } from "../../buffers/outgoing_packet.ts";
import type { Link } from "../../stack/link.ts";
import type { CoreStack } from "../../stack/stack.ts";
import type { Clock } from "../environment.ts";

/**
 * How long a full link is waited for. Then packets are dropped as on any other link, so that
 * connections to a peer that takes nothing end by their own timeouts.
 */
const STALL_MS = 1000;
/** The wait in parts: a busy event loop lets a timer ring late, but not before the peer's turn. */
const STALL_TICKS = 4;

/** Hands the core's packets to one link. */
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

  /** `onRoom` is told when the link has room again, or is no longer waited for. */
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
  }

  /** From now on a full link is not waited for. */
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
