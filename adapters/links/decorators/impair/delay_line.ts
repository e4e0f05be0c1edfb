import type { Clock } from "../../../../core/api/environment.ts";

interface Held<T> {
  readonly at: number;
  readonly item: T;
}

/**
 * Holds items until they are due; items due at the same time leave in order of arrival. There is a
 * single timer for all items, so that rounding of the clock cannot reorder them.
 */
export class DelayLine<T> {
  readonly #clock: Clock;
  readonly #release: (item: T) => void;
  /** In order of time; items before `#head` have left. */
  #held: (Held<T> | undefined)[] = [];
  #head = 0;
  #timerAt = Infinity;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, release: (item: T) => void) {
    this.#clock = clock;
    this.#release = release;
  }

  /** Number of items held. */
  get count(): number {
    return this.#held.length - this.#head;
  }

  /** Holds an item until `at`, in milliseconds of the clock. */
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
