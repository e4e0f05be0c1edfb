/**
 * Token buckets by key.
 *
 * @module
 */
import { TokenBucket } from "../../core/stack/token_bucket.ts";

/** A bucket for each of at most `most` keys; the least recently used one is dropped and starts full again. */
export class TokenBuckets {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #most: number;
  /** Least recently used first. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(perSecond: number, burst: number, most: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#most = most;
  }

  /** Number of buckets. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Whether `key` has a token; a key without a bucket always does. */
  has(key: string, now: number): boolean {
    return this.#buckets.get(key)?.has(now) ?? true;
  }

  /** Takes a token of `key`, if it has one. */
  take(key: string, now: number): boolean {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#perSecond, this.#burst, now);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#most) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket.take(now);
  }
}
