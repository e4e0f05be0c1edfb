/**
 * What a table holds by who has sent it, so that none of many clients takes the places of the others.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";

/** One client, or one customer's network: an IPv4 address, the first 64 bits of an IPv6 address. */
export class Source<Item> {
  readonly key: number | string;
  /** The oldest first. */
  readonly items: Set<Item> = new Set();
  /** Bytes that wait for it, where somebody counts them. */
  byteLength = 0;

  constructor(key: number | string) {
    this.key = key;
  }
}

/**
 * Items by their sources, and who has to make room. Every step takes the same time, however many there
 * are.
 */
export class Sources<Item extends { readonly remote: IpAddress }> {
  readonly #few: number;
  readonly #sources = new Map<number | string, Source<Item>>();
  /** Sources by the number of their items; in each the one that has had so many for longest first. */
  readonly #byCount: Set<Source<Item>>[] = [];

  /** A source with more than `few` items has many. */
  constructor(few: number) {
    this.#few = few;
  }

  /** Sources with items. */
  get count(): number {
    return this.#sources.size;
  }

  /** The source of an address; a new one is known from its first item on. */
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

  /** The source that has the most; `undefined` where all have few. */
  largest(): Source<Item> | undefined {
    if (this.#byCount.length <= this.#few) return undefined;
    const [largest] = this.#byCount.at(-1) ?? [];
    return largest;
  }

  /** The oldest item of that. */
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
    if (before > 0) this.#byCount[before - 1]!.delete(source);
    if (size > 0) (this.#byCount[size - 1] ??= new Set()).add(source);
    while (this.#byCount.at(-1)?.size === 0) this.#byCount.pop();
  }
}

function keyOf({ isV4, w0, w1, w3 }: IpAddress): number | string {
  return isV4 ? w3 : `${w0},${w1}`;
}
