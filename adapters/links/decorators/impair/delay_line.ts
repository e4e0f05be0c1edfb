import type { Clock } from "../../../../core/api/environment.ts";

interface Held<T> {
  readonly at: number;
  readonly item: T;
}

/**
 * Holds items until their time has come; those of the same time leave in the order in which they
 * came. One timer serves all, so that a clock's rounding cannot change the order.
 */
export class DelayLine<T> {
  readonly #clock: Clock;
  readonly #release: (item: T) => void;
  /** By time; what is before `#head` has left. */
  #held: (Held<T> | undefined)[] = [];
  #head = 0;
  #timerAt = Infinity;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, release: (item: T) => void) {
    this.#clock = clock;
    this.#release = release;
  }

  /** How many items are held. */
  get count(): number {
    return this.#held.length - this.#head;
  }

  /** Holds an item until `at`, in the clock's milliseconds. */
  hold(item: T, at: number): void {
    const held = this.#held;
    let place = held.length;
    while (place > this.#head && held[place - 1]!.at > at) place--;
    if (place === held.length) held.push({ at, item });
    else held.splice(place, 0, { at, item });
    this.#arm();
  }

  /** Drops everything. */
  clear(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#timerAt = Infinity;
    this.#held = [];
    this.#head = 0;
  }

  #arm(): void {
    const at = this.#held[this.#head]?.at ?? Infinity;
    if (at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.schedule(at, () => {
      this.#cancelTimer = undefined;
      this.#timerAt = Infinity;
      this.#releaseDue();
      this.#arm();
    });
  }

  #releaseDue(): void {
    const now = this.#clock.now();
    for (let next = this.#held[this.#head]; next && next.at <= now; next = this.#held[this.#head]) {
      this.#held[this.#head++] = undefined;
      this.#release(next.item);
    }
    if (this.#head * 2 >= this.#held.length) {
      this.#held.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
