/**
 * The loop: the only place that reads the clock, sleeps and touches the link. After every change
 * of the core it drains it completely.
 *
 * @module
 */
import { type Link, PacketBatch } from "../../stack/link.ts";
import type { CoreStack } from "../../stack/stack.ts";
import type { Clock } from "../environment.ts";
import { macrotask } from "./macrotask.ts";
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
/** Milliseconds of packets before timers and other work get their turn. */
const BUDGET_MS = 2;
/** Turns of the microtask queue without a call after which handlers count as done. */
const TURNS_TO_GO_ON = 3;
/** The same while a request has been read and not been answered. */
const TURNS_TO_ANSWER = 48;
/** Turns in all. */
const MAX_TURNS = 256;
/** What a request is, in bytes; more is a stream, whose reader may never answer. */
const SMALL_READ = 2048;

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
  #flushQueued = false;
  /** Calls into the core, counted: while it changes, handlers are still at work. */
  #touches = 0;
  /** Handlers have their turns before what they did goes out. */
  #settling = false;
  /** The time of a handlers' turn, once somebody has asked; NaN: nobody has. */
  #turnNow = NaN;
  /** Small reads that no write has followed. */
  #unanswered = 0;
  #cancelTimer: (() => void) | undefined;
  #timerAt: number = Infinity;
  #stopped = false;

  constructor(core: CoreStack, link: Link, clock: Clock) {
    this.core = core;
    this.#link = link;
    this.#clock = clock;
    this.#transmitter = new Transmitter(core, link, clock, () => this.#flushSoon());
  }

  /** Milliseconds. Of handlers that have their turn together only the first one looks at the clock. */
  now(): number {
    if (!this.#settling) return this.#clock.now();
    if (Number.isNaN(this.#turnNow)) this.#turnNow = this.#clock.now();
    return this.#turnNow;
  }

  /** Takes packets until the link is closed; rejects when it broke. */
  async run(): Promise<void> {
    const batch = new PacketBatch(BATCH);
    let turnBegan = this.now();
    while (!this.#stopped && await this.#link.ready()) {
      for (;;) {
        if (!this.#receive(batch)) break;
        this.#settling = true;
        this.#turnNow = NaN;
        this.#deliver();
        await this.#handlersSettle();
        this.flush();
        if (this.now() - turnBegan < BUDGET_MS) continue;
        await macrotask();
        turnBegan = this.now();
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

  /**
   * Lets woken handlers read and write, as long as they do. Who has read a request gets some more
   * turns to answer, so that the acknowledgement travels with the answer.
   */
  async #handlersSettle(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const before = this.#touches;
      this.#turnNow = NaN;
      await undefined;
      quiet = this.#touches === before ? quiet + 1 : 0;
      if (quiet >= (this.#unanswered > 0 ? TURNS_TO_ANSWER : TURNS_TO_GO_ON)) break;
    }
    this.#settling = false;
  }

  /** A call has changed the core: the result goes out when the caller's turn is over. */
  touch(): void {
    this.#touches++;
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushQueued || this.#settling) return;
    this.#flushQueued = true;
    queueMicrotask(() => {
      if (this.#flushQueued) this.flush();
    });
  }

  /** The same after `count` bytes were read. */
  touchAfterRead(count: number): void {
    if (count < SMALL_READ) this.#unanswered++;
    this.touch();
  }

  /** The same after something was written. */
  touchAfterWrite(): void {
    if (this.#unanswered > 0) this.#unanswered--;
    this.touch();
  }

  /** The same after a datagram was sent; a link takes so many at a time. */
  touchAfterDatagram(): void {
    this.touch();
    if (this.core.hasMuchToSend) this.flush();
  }

  /** Drains the core: packets to the link, events to their owners. */
  flush(): void {
    this.#flushQueued = false;
    this.#unanswered = 0;
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
