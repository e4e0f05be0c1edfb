/**
 * Rates of many at once.
 *
 * @module
 */
import { TokenBucket } from "../../core/stack/token_bucket.ts";

/** A bucket for each key, for `most` keys at most: the one longest unused makes room, full again. */
export class TokenBuckets {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #most: number;
  /** The one longest unused first. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(perSecond: number, burst: number, most: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#most = most;
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Whether `key` has a token; who is not remembered has. */
  has(key: string, now: number): boolean {
    return this.#buckets.get(key)?.has(now) ?? true;
  }

  /** Takes a token of `key`'s, if there is one. */
  take(key: string, now: number): boolean {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#perSecond, this.#burst, now);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#most) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket.take(now);
  }
}
