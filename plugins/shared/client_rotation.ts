/**
 * A queue in which clients take turns.
 *
 * @module
 */
import { networkKey } from "./subnet_set.ts";

const CLIENT = { v4Prefix: 32, v6Prefix: 64 };

/** The client at an address, as text: an IPv4 address or an IPv6 /64, which is usually one customer. */
export function clientOf(hostname: string): string {
  return networkKey(hostname, CLIENT);
}

/** Waiting items. In each turn of a client one of its items is taken, however many are waiting. */
export class ClientRotation<Item> {
  /** Items of each client, oldest first; the client whose turn is next comes first. */
  readonly #waiting = new Map<string, Set<Item>>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Adds an item of a client, see {@link clientOf}. */
  add(client: string, item: Item): void {
    const own = this.#waiting.get(client);
    if (own === undefined) this.#waiting.set(client, new Set([item]));
    else own.add(item);
  }

  /** Removes the oldest item of the client whose turn it is. */
  take(): Item | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [client, own] = first;
    const [item] = own;
    own.delete(item!);
    this.#waiting.delete(client);
    if (own.size > 0) this.#waiting.set(client, own);
    return item;
  }
}
