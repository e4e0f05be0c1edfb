/**
 * Table of bindings: looks up the most specific one for an address and port.
 *
 * @module
 */
import type { Subnet } from "../wire/address.ts";

/** A subnet and an inclusive range of ports. */
export interface Binding {
  /** `undefined`: every address of the stack, of both families. */
  readonly subnet: Subnet | undefined;
  readonly firstPort: number;
  readonly lastPort: number;
}

/**
 * Values by binding. If several bindings match, the longest prefix wins, then the narrowest range
 * of ports, then the binding that was added first.
 *
 * The cost of a lookup grows with the number of bindings of that port and of port ranges, not with
 * the number of addresses and ports that they cover.
 */
export class BindingTable<Bound> {
  readonly #exact = new Map<number, Entry<Bound>[]>();
  #ranges: Entry<Bound>[] = [];

  /** Binds a value; returns false if there is an identical binding. */
  add(binding: Binding, bound: Bound): boolean {
    const { firstPort, lastPort } = binding;
    const others = this.#of(binding);
    if (others.some((other) => isSame(other, binding))) return false;
    const bits = binding.subnet?.bits ?? ANY_ADDRESS_BITS;
    const entries = [...others, { subnet: binding.subnet, firstPort, lastPort, bits, bound }];
    entries.sort((a, b) => b.bits - a.bits || widthOf(a) - widthOf(b));
    this.#keep(binding, entries);
    return true;
  }

  /** Removes a binding, if there is one. */
  remove(binding: Binding): void {
    this.#keep(binding, this.#of(binding).filter((entry) => !isSame(entry, binding)));
  }

  /** The value bound to an address, given as words (see `IpAddress`), and a port. */
  find(w0: number, w1: number, w2: number, w3: number, port: number): Bound | undefined {
    const exact = firstWith(this.#exact.get(port), w0, w1, w2, w3, port);
    const range = firstWith(this.#ranges, w0, w1, w2, w3, port);
    if (exact === undefined || range === undefined) return (exact ?? range)?.bound;
    return range.bits > exact.bits ? range.bound : exact.bound;
  }

  /** Whether there is a binding of exactly this port; ranges do not count. */
  hasPort(port: number): boolean {
    return this.#exact.has(port);
  }

  /** All bound values, one for each binding. */
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

/** Less specific than a prefix of length 0, which covers one family. */
const ANY_ADDRESS_BITS = -1;

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
