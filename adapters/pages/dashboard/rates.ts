/**
 * Rates from counters: the difference between two updates over the time between them.
 *
 * @module
 */
import type { Row } from "./api.ts";

type Counters = Readonly<Record<string, number>>;

/** The rates at the last update; holds two updates. */
export class Rates {
  #seconds = 0;
  #elapsed = 0;
  #stats: Counters = {};
  #before: Counters = {};
  #rows = new Map<string, Row>();
  #rowsBefore = new Map<string, Row>();

  /** Adds an update that was made at `seconds`. */
  take(seconds: number, stats: Counters, rows: readonly Row[] = []): void {
    this.#elapsed = this.#seconds === 0 ? 0 : seconds - this.#seconds;
    this.#seconds = seconds;
    this.#before = this.#stats;
    this.#stats = stats;
    this.#rowsBefore = this.#rows;
    this.#rows = new Map(rows.map((row) => [row.id, row]));
  }

  /** The increase of a counter of the stack, per second. */
  of(name: string): number {
    return this.#rate(this.#stats[name], this.#before[name]);
  }

  /** Bits received per second. */
  get bitsIn(): number {
    return 8 * this.of("bytesIn");
  }

  /** Bits sent per second. */
  get bitsOut(): number {
    return 8 * this.of("bytesOut");
  }

  /** Packets dropped per second, whatever the reason. */
  get ofDrops(): number {
    return this.#rate(dropsIn(this.#stats), dropsIn(this.#before));
  }

  /** Bits per second of a connection, both directions; `undefined` until it has been in two updates. */
  goodput(id: string): number | undefined {
    const [now, before] = [this.#rows.get(id), this.#rowsBefore.get(id)];
    if (now === undefined || before === undefined) return undefined;
    return 8 * this.#rate(now.bytesIn + now.bytesOut, before.bytesIn + before.bytesOut);
  }

  /** Zero without an earlier value, and after a restart of the service. */
  #rate(now: number | undefined, before: number | undefined): number {
    if (now === undefined || before === undefined || this.#elapsed <= 0) return 0;
    return Math.max(0, (now - before) / this.#elapsed);
  }
}

function dropsIn(stats: Counters): number {
  return Object.entries(stats).filter(([name]) => isDrop(name))
    .reduce((sum, [, value]) => sum + value, 0);
}

/** Whether a counter is one of dropped packets. */
export function isDrop(name: string): boolean {
  return /(^|\.)drop\./.test(name);
}
