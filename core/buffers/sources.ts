/**
 * Counts a table's items per source address, so that no client can crowd out the others.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";

/** A source: one IPv4 address, or one IPv6 /64, which is usually a single customer. */
export class Source<Item> {
  readonly key: number | string;
  /** In order of insertion, oldest first. */
  readonly items: Set<Item> = new Set();
  /** Bytes queued for the source, if the table counts them. */
  byteLength = 0;

  constructor(key: number | string) {
    this.key = key;
  }
}

/** Items by source, and the choice of an item to evict. Every operation takes constant time. */
export class Sources<Item extends { readonly remote: IpAddress }> {
  readonly #few: number;
  readonly #sources = new Map<number | string, Source<Item>>();
  /**
   * Sources by number of items; within a set, the one that has had this number for longest comes
   * first.
   */
  readonly #byCount: (Set<Source<Item>> | undefined)[] = [];

  /** `few`: a source with up to this many items is never singled out for eviction. */
  constructor(few: number) {
    this.#few = few;
  }

  /** Number of sources with items. */
  get count(): number {
    return this.#sources.size;
  }

  /** The source of an address. A new source enters the table with its first item. */
  of(remote: IpAddress): Source<Item> {
    const key = keyOf(remote);
    return this.#sources.get(key) ?? new Source(key);
  }

  add(item: Item, source: Source<Item> = this.of(item.remote)): void {
    this.#sources.set(source.key, source);
    const before = source.items.size;
    source.items.add(item);
    this.#move(source, before);
  }

  delete(item: Item): void {
    const source = this.#sources.get(keyOf(item.remote));
    if (source === undefined) return;
    const before = source.items.size;
    if (!source.items.delete(item)) return;
    this.#move(source, before);
    if (source.items.size === 0) this.#sources.delete(source.key);
  }

  /** The source with the most items; `undefined` if none has more than `few`. */
  largest(): Source<Item> | undefined {
    if (this.#byCount.length <= this.#few) return undefined;
    const [largest] = this.#byCount.at(-1) ?? [];
    return largest;
  }

  /** The oldest item of {@link largest}. */
  oldestOfLargest(): Item | undefined {
    const [oldest] = this.largest()?.items ?? [];
    return oldest;
  }

  clear(): void {
    this.#sources.clear();
    this.#byCount.length = 0;
  }

  #move(source: Source<Item>, before: number): void {
    const { size } = source.items;
    if (size === before) return;
    const left = before > 0 ? this.#take(source, before - 1) : undefined;
    if (size > 0) (this.#byCount[size - 1] ??= left ?? new Set()).add(source);
    while (this.#byCount.length > 0 && this.#byCount.at(-1) === undefined) this.#byCount.pop();
  }

  /** Removes a source; returns its set if that is empty now, so that no empty sets are kept. */
  #take(source: Source<Item>, index: number): Set<Source<Item>> | undefined {
    const set = this.#byCount[index]!;
    set.delete(source);
    if (set.size > 0) return undefined;
    this.#byCount[index] = undefined;
    return set;
  }
}

function keyOf({ isV4, w0, w1, w3 }: IpAddress): number | string {
  return isV4 ? w3 : `${w0},${w1}`;
}
