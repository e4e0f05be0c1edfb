/**
 * Rate limits of bytes.
 *
 * @module
 */
import { type Clock, sleepUntil } from "../../core/api/environment.ts";
import { TokenBucket } from "../../core/stack/token_bucket.ts";

/** Maximum number of bytes that pass in one turn. */
const MAX_TURN = 16 * 1024;

/** The rate of one direction, of one connection or of several that take turns. */
export class Pace {
  /** Maximum number of bytes per turn. */
  readonly most: number;
  readonly #bucket: TokenBucket;
  readonly #clock: Clock;

  constructor(bytesPerSecond: number, burst: number | undefined, clock: Clock) {
    const atOnce = burst ?? Math.max(1, bytesPerSecond / 10);
    this.most = Math.max(1, Math.min(MAX_TURN, Math.floor(atOnce)));
    this.#bucket = new TokenBucket(bytesPerSecond, atOnce, clock.now());
    this.#clock = clock;
  }

  /** Waits until `count` bytes may pass, or until `signal` is aborted. */
  async wait(count: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const at = this.#bucket.reserve(count, now);
    if (at > now) await sleepUntil(this.#clock, at, signal);
  }
}
