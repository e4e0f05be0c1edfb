/**
 * The cache of small files.
 *
 * @module
 */
import { FileVersion } from "../../host/file_version.ts";

/** Maximum number of files in the cache. */
const MAX_FILES = 16_384;
/**
 * Milliseconds for which a file must have been unchanged before it is cached. File times advance only
 * every few milliseconds, and a second change within one tick leaves the times as they are.
 */
const SETTLED_MS = 100;

/** A cached value, or the fact that there is no such file. */
export interface Cached<T> {
  readonly value: T;
  /** Size in bytes. */
  readonly size: number;
  /** The versions of all paths that it depends on. */
  readonly versions: readonly Pick<FileVersion, "isCurrent">[];
}

/** Values made from files, by key. A value is used only if its files have not changed since. */
export class FileCache<T> {
  readonly #maxBytes: number;
  /** In order of use, the least recently used one first. */
  readonly #entries = new Map<string, Cached<T>>();
  /** The last one in `#entries`, if known: the most recently used one. */
  #last: Cached<T> | undefined;
  #bytes = 0;
  /** The entries that were found unchanged since the microtask queue was last empty. */
  readonly #checked = new Set<Cached<T>>();

  /** `maxBytes` bounds the total size of the values. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Total size of the values, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The value of `key`, unless one of its files has changed. */
  find(key: string): T | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    if (!this.#isCurrent(found)) {
      this.#remove(key, found);
      return undefined;
    }
    if (found !== this.#last) {
      // Now the most recently used one.
      this.#entries.delete(key);
      this.#entries.set(key, found);
      this.#last = found;
    }
    return found.value;
  }

  /** Caches a value, unless it is too large or one of its files may still be changing. */
  keep(key: string, cached: Cached<T>, changedMs: number): void {
    if (cached.size > this.#maxBytes || Date.now() - changedMs < SETTLED_MS) return;
    for (const version of cached.versions) if (!version.isCurrent) return;
    const before = this.#entries.get(key);
    if (before !== undefined) this.#remove(key, before);
    this.#entries.set(key, cached);
    this.#last = cached;
    this.#bytes += cached.size;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes && this.#entries.size <= MAX_FILES) break;
      this.#remove(oldest, entry);
    }
  }

  /**
   * Files are checked once for all requests that have arrived together, because no client receives an answer to one
   * of these requests before all of them are answered.
   */
  #isCurrent(entry: Cached<T>): boolean {
    const checked = this.#checked;
    if (checked.has(entry)) return true;
    for (const version of entry.versions) if (!version.isCurrent) return false;
    if (checked.size === 0) queueMicrotask(() => checked.clear());
    checked.add(entry);
    return true;
  }

  #remove(key: string, { size }: Cached<T>): void {
    this.#entries.delete(key);
    this.#bytes -= size;
    this.#last = undefined;
  }
}
