/**
 * The loop: the only place that reads the clock, sleeps and touches the link. After every change
 * of the core it drains it completely.
 *
 * @module
 */
import { type Link, PacketBatch } from "../../stack/link.ts";
import type { CoreStack } from "../../stack/stack.ts";
import type { Clock } from "../environment.ts";
import { HandlerScheduler } from "./handler_scheduler.ts";
import { Transmitter } from "./transmitter.ts";

/** Packets taken from the link at a time. */
const BATCH = 64;
/**
 * Packets and bytes taken in, while batches come full, before handlers get to see them: where many
 * connections send little at a time, one reply answers several packets of each.
 */
const MAX_BURST = 512;
const MAX_BURST_BYTES = 256 * 1024;
/**
 * A full batch of fewer bytes is acknowledgements for the most part: what they make room for is
 * written and sent at once, as long as it is in the processor's cache.
 */
const MIN_BURST_BATCH_BYTES = 16 * 1024;

/** Whoever owns a connection, a listener, a flow or a UDP socket in the core. */
export interface Owner {
  /** Something has happened; looks at the core for what. */
  onEvent(): void;
}

/** Drives one core over one link. */
export class Driver {
  readonly core: CoreStack;
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #transmitter: Transmitter;
  readonly #scheduler: HandlerScheduler;
  #cancelTimer: (() => void) | undefined;
  #timerAt: number = Infinity;
  #stopped = false;

  constructor(core: CoreStack, link: Link, clock: Clock) {
    this.core = core;
    this.#link = link;
    this.#clock = clock;
    this.#scheduler = new HandlerScheduler(clock, () => this.flush());
    this.#transmitter = new Transmitter(core, link, clock, () => this.#scheduler.flushSoon());
  }

  /** Milliseconds. Handlers that run in the same turn share one reading of the clock. */
  now(): number {
    return this.#scheduler.now();
  }

  /** Receives packets until the link is closed; rejects if it has failed. */
  async run(): Promise<void> {
    const batch = new PacketBatch(BATCH);
    const scheduler = this.#scheduler;
    while (!this.#stopped && await this.#link.ready()) {
      while (this.#receive(batch)) {
        scheduler.begin();
        this.#deliver();
        await scheduler.finished();
        this.flush();
        const pause = scheduler.yieldIfDue();
        if (pause !== undefined) await pause;
      }
    }
  }

  /** Takes in what has come, up to a burst of it; false: there was nothing. */
  #receive(batch: PacketBatch): boolean {
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

  /** A call has changed the core: the result is sent when the caller's turn is over. */
  touch(): void {
    this.#scheduler.noteCall();
  }

  /** The same after `count` bytes were read. */
  touchAfterRead(count: number): void {
    this.#scheduler.noteRead(count);
  }

  /** The same after something was written. */
  touchAfterWrite(): void {
    this.#scheduler.noteWrite();
  }

  /** The same after a datagram was sent; a link takes so many at a time. */
  touchAfterDatagram(): void {
    this.touch();
    if (this.core.hasMuchToSend) this.flush();
  }

  /** Drains the core: packets to the link, events to their owners. */
  flush(): void {
    this.#scheduler.flushed();
    if (this.#stopped) return;
    this.#transmitter.drain(this.now());
    this.#deliver();
    this.#armTimer();
  }

  #deliver(): void {
    const { core } = this;
    for (let tcb = core.tcp.pollConnection(); tcb !== undefined; tcb = core.tcp.pollConnection()) {
      (tcb.handle as Owner | undefined)?.onEvent();
    }
    for (let one = core.tcp.pollListener(); one !== undefined; one = core.tcp.pollListener()) {
      (one.handle as Owner | undefined)?.onEvent();
    }
    for (let one = core.udp.pollEvent(); one !== undefined; one = core.udp.pollEvent()) {
      (one.handle as Owner | undefined)?.onEvent();
    }
  }

  /** A timer that would fire too early is left alone: that is cheaper than moving it each time. */
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
    this.#deliver();
    this.flush();
  }

  /** Sends what is left, as far as the link has room, and ends; the link stays open. */
  stop(): void {
    if (this.#stopped) return;
    this.#transmitter.stop();
    this.flush();
    this.#stopped = true;
    this.#cancelTimer?.();
  }
}
