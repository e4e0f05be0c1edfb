/**
 * Token bucket rate limiter.
 *
 * @module
 */

/**
 * Holds at most `burst` tokens, is full at first, and is refilled with `perSecond` tokens per
 * second.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** `now`: the time in milliseconds. */
  constructor(perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Whether there is a token. */
  has(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= 1;
  }

  /** Takes a token, if there is one. */
  take(now: number): boolean {
    if (!this.has(now)) return false;
    this.#tokens--;
    return true;
  }

  /**
   * Takes `count` tokens in advance if necessary. Returns the time at which all of them are
   * covered, `now` if they are already. Later calls have to wait until after that.
   */
  reserve(count: number, now: number): number {
    this.#refill(now);
    this.#tokens -= count;
    return this.#tokens >= 0 ? now : now - this.#tokens / this.#perMs;
  }

  #refill(now: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
  }
}
