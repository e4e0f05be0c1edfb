/**
 * Small files in memory.
 *
 * @module
 */
import { FileVersion } from "../../host/file_version.ts";

/** Files in the cache, at most. */
const MAX_FILES = 16_384;
/**
 * Milliseconds that a file has to have been as it is: the kernel's clock for files ticks every few
 * milliseconds, and within a tick a file can change twice without a sign of it.
 */
const SETTLED_MS = 100;

/** What is kept under a key, or that there is no such file. */
export interface Cached<T> {
  readonly value: T;
  /** Bytes that it takes. */
  readonly size: number;
  /** All paths that it depends on. */
  readonly versions: readonly FileVersion[];
}

/** Values made from files, by name; each is compared with its files before it is used. */
export class FileCache<T> {
  readonly #maxBytes: number;
  /** From the one that has not been used for longest to the one used last. */
  readonly #entries = new Map<string, Cached<T>>();
  #bytes = 0;

  /** Keeps values of `maxBytes` in all, at most. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of all values. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The value of `key`, if its files have not changed. */
  find(key: string): T | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    for (const version of found.versions) {
      if (version.isCurrent) continue;
      this.#remove(key, found);
      return undefined;
    }
    // Moves it to the end.
    this.#entries.delete(key);
    this.#entries.set(key, found);
    return found.value;
  }

  /** Keeps a value, unless it is too large or one of its files may still be changing. */
  keep(key: string, cached: Cached<T>, changedMs: number): void {
    if (cached.size > this.#maxBytes || Date.now() - changedMs < SETTLED_MS) return;
    for (const version of cached.versions) if (!version.isCurrent) return;
    const before = this.#entries.get(key);
    if (before !== undefined) this.#remove(key, before);
    this.#entries.set(key, cached);
    this.#bytes += cached.size;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes && this.#entries.size <= MAX_FILES) break;
      this.#remove(oldest, entry);
    }
  }

  #remove(key: string, { size }: Cached<T>): void {
    this.#entries.delete(key);
    this.#bytes -= size;
  }
}
