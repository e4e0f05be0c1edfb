/**
 * Half-open connections of a listener that decides, by who has begun them: none of many clients takes
 * the places of the others.
 *
 * @module
 */
import type { Tcb } from "../../tcp/tcb.ts";
import type { IpAddress } from "../../wire/address.ts";

/** One source may have a quarter of a backlog, but as many of a small one as nobody minds. */
const SHARE = 4;
/** Sources with so many take turns as they come: honest clients have more than those of forged SYNs. */
const FEW = 64;

/** One client, or one customer's network: an IPv4 address, the first 64 bits of an IPv6 address. */
interface Source {
  readonly key: number | string;
  /** Half-open connections, the oldest first. */
  readonly attempts: Set<Tcb>;
}

/**
 * Counts attempts by their sources, and says who has to make room. Every step takes the same time,
 * however many there are.
 */
export class HalfOpenSources {
  /** Attempts of one source, at most. */
  readonly limit: number;
  readonly #sources = new Map<number | string, Source>();
  /** Sources by the number of their attempts; in each the one that has had so many for longest first. */
  readonly #byCount: Set<Source>[] = [];

  /** For a listener whose half-open connections are `backlog` at most. */
  constructor(backlog: number) {
    this.limit = Math.min(backlog, Math.max(FEW, Math.floor(backlog / SHARE)));
  }

  /** Sources with attempts. */
  get count(): number {
    return this.#sources.size;
  }

  add(tcb: Tcb): void {
    const key = keyOf(tcb.remote);
    let source = this.#sources.get(key);
    if (source === undefined) this.#sources.set(key, source = { key, attempts: new Set() });
    const before = source.attempts.size;
    source.attempts.add(tcb);
    this.#move(source, before);
  }

  delete(tcb: Tcb): void {
    const source = this.#sources.get(keyOf(tcb.remote));
    if (source === undefined) return;
    const before = source.attempts.size;
    if (!source.attempts.delete(tcb)) return;
    this.#move(source, before);
    if (source.attempts.size === 0) this.#sources.delete(source.key);
  }

  /** The oldest attempt of the source of `remote`, where that has as many as it may. */
  oldestBeyondLimit(remote: IpAddress): Tcb | undefined {
    const attempts = this.#sources.get(keyOf(remote))?.attempts;
    if (attempts === undefined || attempts.size < this.limit) return undefined;
    const [oldest] = attempts;
    return oldest;
  }

  /** The oldest attempt of the source that has the most; `undefined` where all have few. */
  oldestOfLargest(): Tcb | undefined {
    if (this.#byCount.length <= FEW) return undefined;
    const [largest] = this.#byCount.at(-1) ?? [];
    const [oldest] = largest?.attempts ?? [];
    return oldest;
  }

  clear(): void {
    this.#sources.clear();
    this.#byCount.length = 0;
  }

  #move(source: Source, before: number): void {
    const { size } = source.attempts;
    if (size === before) return;
    if (before > 0) this.#byCount[before - 1]!.delete(source);
    if (size > 0) (this.#byCount[size - 1] ??= new Set()).add(source);
    while (this.#byCount.at(-1)?.size === 0) this.#byCount.pop();
  }
}

function keyOf({ isV4, w0, w1, w3 }: IpAddress): number | string {
  return isV4 ? w3 : `${w0},${w1}`;
}
