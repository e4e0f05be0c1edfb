/**
 * What is bound where: one value for any number of addresses and ports, the most specific first.
 *
 * @module
 */
import type { Subnet } from "../wire/address.ts";

/** Addresses and ports, both ends included. */
export interface Binding {
  /** `undefined`: every address of the stack, of both families. */
  readonly subnet: Subnet | undefined;
  readonly firstPort: number;
  readonly lastPort: number;
}

/**
 * Values by place. Of several places that an address and port are in, the one with the longest
 * prefix is meant, among these the one with the fewest ports, among these the one that came first.
 *
 * A lookup costs a step for each place on that one port and for each range of ports that is looked
 * at; how many addresses and ports they have does not matter.
 */
export class BindingTable<Bound> {
  readonly #exact = new Map<number, Entry<Bound>[]>();
  #ranges: Entry<Bound>[] = [];

  /** Binds a value; false: exactly that place is taken. */
  add(place: Binding, bound: Bound): boolean {
    const { firstPort, lastPort } = place;
    const others = this.#of(place);
    if (others.some((other) => isSame(other, place))) return false;
    const bits = place.subnet?.bits ?? EVERYWHERE;
    const entries = [...others, { subnet: place.subnet, firstPort, lastPort, bits, bound }];
    entries.sort((a, b) => b.bits - a.bits || widthOf(a) - widthOf(b));
    this.#keep(place, entries);
    return true;
  }

  /** Gives a place up; nothing happens when it was not taken. */
  remove(place: Binding): void {
    this.#keep(place, this.#of(place).filter((entry) => !isSame(entry, place)));
  }

  /** What is bound to the address of these words (see `IpAddress`) and a port. */
  find(w0: number, w1: number, w2: number, w3: number, port: number): Bound | undefined {
    const exact = firstWith(this.#exact.get(port), w0, w1, w2, w3, port);
    const range = firstWith(this.#ranges, w0, w1, w2, w3, port);
    if (exact === undefined || range === undefined) return (exact ?? range)?.bound;
    return range.bits > exact.bits ? range.bound : exact.bound;
  }

  /** Whether something is bound to this very port, not to a range that it is in. */
  hasPort(port: number): boolean {
    return this.#exact.has(port);
  }

  /** Everything that is bound, once for each place. */
  values(): Bound[] {
    return [...[...this.#exact.values()].flat(), ...this.#ranges].map(({ bound }) => bound);
  }

  #of({ firstPort, lastPort }: Binding): Entry<Bound>[] {
    return firstPort === lastPort ? this.#exact.get(firstPort) ?? [] : this.#ranges;
  }

  #keep({ firstPort, lastPort }: Binding, entries: Entry<Bound>[]): void {
    if (firstPort !== lastPort) this.#ranges = entries;
    else if (entries.length > 0) this.#exact.set(firstPort, entries);
    else this.#exact.delete(firstPort);
  }
}

/** Less specific than a prefix of no bits, which is one family's. */
const EVERYWHERE = -1;

interface Entry<Bound> extends Binding {
  readonly bits: number;
  readonly bound: Bound;
}

function widthOf({ firstPort, lastPort }: Binding): number {
  return lastPort - firstPort;
}

function isSame(a: Binding, b: Binding): boolean {
  if (a.firstPort !== b.firstPort || a.lastPort !== b.lastPort) return false;
  return a.subnet === undefined || b.subnet === undefined
    ? a.subnet === b.subnet
    : a.subnet.equals(b.subnet);
}

function firstWith<Bound>(
  entries: readonly Entry<Bound>[] | undefined,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
  port: number,
): Entry<Bound> | undefined {
  if (entries === undefined) return undefined;
  for (const entry of entries) {
    if (port < entry.firstPort || port > entry.lastPort) continue;
    if (entry.subnet === undefined || entry.subnet.containsWords(w0, w1, w2, w3)) return entry;
  }
  return undefined;
}
