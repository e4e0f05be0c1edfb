/**
 * A FIFO queue in which sources take turns once it is long.
 *
 * @module
 */
import type { IpAddress } from "../wire/address.ts";
import { Queue } from "./queue.ts";

/** A queue of up to this many items keeps their order, whatever their sources, so a push needs no lookup. */
const SHORT = 8;

/**
 * A queue in which the first item of a source waits for at most {@link SHORT} others and then for one item of each other
 * source, however many items those have.
 */
export class FairQueue<Item extends { readonly remote: IpAddress }> {
  /** The next items, in order. */
  readonly #next = new Queue<Item>();
  /** Further items by source; the source whose turn is next comes first. */
  readonly #waiting = new Map<number, Queue<Item>>();

  push(item: Item): void {
    if (this.#waiting.size === 0 && this.#next.count < SHORT) return this.#next.push(item);
    const key = keyOf(item.remote);
    let own = this.#waiting.get(key);
    if (own === undefined) this.#waiting.set(key, own = new Queue());
    own.push(item);
  }

  shift(): Item | undefined {
    if (this.#next.count === 0 && this.#waiting.size > 0) this.#refill();
    return this.#next.shift();
  }

  #refill(): void {
    for (let room = SHORT; room > 0 && this.#waiting.size > 0; room--) {
      const [first] = this.#waiting;
      const [key, own] = first!;
      this.#next.push(own.shift()!);
      if (this.#waiting.size === 1 && own.count > 0) continue;
      this.#waiting.delete(key);
      if (own.count > 0) this.#waiting.set(key, own);
    }
  }
}

/** An IPv4 address, or an IPv6 /64. Sources with the same key share their turns. */
function keyOf({ isV4, w0, w1, w3 }: IpAddress): number {
  return isV4 ? w3 : (Math.imul(w0, 31) ^ w1) | 0;
}
