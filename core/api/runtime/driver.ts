/**
 * The event loop of a stack: the only code that reads the clock, sleeps and uses the link. After
 * every change of the core, it drains the core completely.
 *
 * @module
 */
import { type Link, PacketBatch } from "../../stack/link.ts";
import type { MovedPacket } from "../../stack/tcp/moved_connections.ts";
import type { CoreStack } from "../../stack/stack.ts";
import type { Clock } from "../environment.ts";
import { HandlerScheduler } from "./handler_scheduler.ts";
import { OwnerNotifier } from "./owner_notifier.ts";
import { Transmitter } from "./transmitter.ts";

/** Packets taken from the link at a time. */
const BATCH = 64;
/**
 * While batches are full, up to this many packets and bytes are received before handlers run. If
 * many connections send little at a time, one reply then answers several packets of each.
 */
const MAX_BURST = 512;
const MAX_BURST_BYTES = 256 * 1024;
/**
 * A full batch of fewer bytes is mostly acknowledgements. The data that they make room for is
 * written and sent at once, while it is in the processor's cache.
 */
const MIN_BURST_BATCH_BYTES = 16 * 1024;

/** The owner of a connection that has moved away. */
interface PacketOwner {
  /** A packet has arrived for it. */
  onPacket(packet: MovedPacket): void;
}

/** Drives one core over one link. */
export class Driver {
  readonly core: CoreStack;
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #transmitter: Transmitter;
  readonly #scheduler: HandlerScheduler;
  readonly #notifier: OwnerNotifier;
  readonly #batch = new PacketBatch(BATCH);
  /** Settles when the owners left over from the first turn have been notified. */
  #turns: Promise<void> | undefined;
  #isTakingTurns = false;
  #cancelTimer: (() => void) | undefined;
  #timerAt: number = Infinity;
  #stopped = false;

  constructor(core: CoreStack, link: Link, clock: Clock) {
    this.core = core;
    this.#link = link;
    this.#clock = clock;
    this.#notifier = new OwnerNotifier(core);
    this.#scheduler = new HandlerScheduler(clock, () => this.flush());
    this.#transmitter = new Transmitter(core, link, clock, () => this.#scheduler.flushSoon());
  }

  /** Milliseconds. Handlers that run in the same turn share one reading of the clock. */
  now(): number {
    return this.#scheduler.now();
  }

  /** Receives packets until the link is closed; rejects if it has failed. */
  async run(): Promise<void> {
    this.#armTimer();
    while (!this.#stopped && await this.#link.ready()) {
      await (this.#isTakingTurns ? this.#turns : this.#takeTurns());
    }
  }

  /** Receives packets and notifies owners until there are no more packets or events. */
  async #takeTurns(): Promise<void> {
    if (this.#isTakingTurns) return;
    this.#isTakingTurns = true;
    const scheduler = this.#scheduler;
    const notifier = this.#notifier;
    try {
      while ((this.#receive() || notifier.hasMore) && !this.#stopped) {
        const began = this.#clock.now();
        scheduler.begin();
        notifier.notify();
        await scheduler.finished();
        this.flush();
        const now = this.#clock.now();
        notifier.turnTook(now - began);
        const pause = scheduler.yieldIfDue(now);
        if (pause !== undefined) await pause;
      }
    } finally {
      this.#isTakingTurns = false;
    }
  }

  /** Receives the packets available, up to one burst; false: there were none. */
  #receive(): boolean {
    const batch = this.#batch;
    let packets = 0;
    let bytes = 0;
    let batchBytes: number;
    let count: number;
    do {
      batchBytes = 0;
      count = this.#link.receive(batch);
      if (this.#stopped) return false;
      const now = this.now();
      for (let i = 0; i < count; i++) {
        const size = batch.sizes[i]!;
        batchBytes += size;
        if (batch.fromPeer[i] === 1) {
          this.core.receiveFromPeer(batch.packets[i]!, size, now);
          continue;
        }
        this.core.receive(
          batch.packets[i]!,
          size,
          batch.checksums[i]!,
          batch.segmentSizes[i]!,
          now,
        );
      }
      packets += count;
      bytes += batchBytes;
    } while (
      count === BATCH && batchBytes >= MIN_BURST_BATCH_BYTES && packets < MAX_BURST &&
      bytes < MAX_BURST_BYTES
    );
    return packets > 0;
  }

  /** Processes a packet that did not come from the link; its checksum has been verified. */
  inject(packet: Uint8Array, segmentSize: number): void {
    if (this.#stopped) return;
    this.core.receiveRedirected(packet, segmentSize, this.now());
    this.touch();
  }

  /** A call has changed the core: the result is sent when the caller's turn is over. */
  touch(): void {
    this.#scheduler.noteCall();
  }

  /** {@link touch} after `count` bytes were read. */
  touchAfterRead(count: number): void {
    this.#scheduler.noteRead(count);
  }

  /** {@link touch} after a write. */
  touchAfterWrite(): void {
    this.#scheduler.noteWrite();
  }

  /**
   * {@link touch} after a datagram was sent. Flushes early when many packets are queued, since a
   * link has room for a limited number.
   */
  touchAfterDatagram(): void {
    this.touch();
    if (this.core.shouldTransmitFirst) this.flush();
  }

  /** Drains the core: packets to the link, events to their owners. */
  flush(): void {
    this.#scheduler.flushed();
    if (this.#stopped) return;
    this.#transmitter.drain(this.now());
    this.#redirect();
    this.#notify();
    this.#armTimer();
  }

  /** Passes packets for connections that have moved away to their owners. */
  #redirect(): void {
    const { tcp } = this.core;
    for (let one = tcp.pollMoved(); one !== undefined; one = tcp.pollMoved()) {
      (one.connection.handle as PacketOwner | undefined)?.onPacket(one);
    }
  }

  /**
   * Notifies owners. If there are more than one turn allows, further turns notify the rest, and the
   * event loop runs in between.
   */
  #notify(): void {
    if (this.#notifier.hasMore) return;
    this.#notifier.notify();
    if (!this.#notifier.hasMore || this.#isTakingTurns) return;
    this.#turns = Promise.resolve().then(() => this.#takeTurns());
  }

  /** A timer that would fire too early is not rescheduled: an early wake-up is cheaper. */
  #armTimer(): void {
    const at = this.core.nextTimeout();
    if (at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.schedule(at, () => this.#onTimer());
  }

  #onTimer(): void {
    this.#cancelTimer = undefined;
    this.#timerAt = Infinity;
    if (this.#stopped) return;
    this.core.handleTimeout(this.now());
    this.#notify();
    this.flush();
  }

  /** Sends the remaining packets, as far as the link has room, and stops; the link stays open. */
  stop(): void {
    if (this.#stopped) return;
    this.#transmitter.stop();
    this.flush();
    this.#notifier.notifyAll();
    this.#stopped = true;
    this.#cancelTimer?.();
  }
}
