/**
 * Half-open connections per source, for listeners that decide about SYNs, so that no client can
 * crowd out the others.
 *
 * @module
 */
import type { Tcb } from "../../tcp/tcb.ts";
import type { IpAddress } from "../../wire/address.ts";
import { Sources } from "../../buffers/sources.ts";

/** A source may use a quarter of the backlog, or {@link MIN_PER_SOURCE} attempts if that is more. */
const SHARE_DIVISOR = 4;
/**
 * A source with up to this many attempts is not singled out for eviction: honest clients have more
 * of them than the spoofed sources of a SYN flood.
 */
const MIN_PER_SOURCE = 64;

/** Counts attempts by source, and chooses those to evict. */
export class HalfOpenSources extends Sources<Tcb> {
  /** Maximum number of attempts of one source. */
  readonly limit: number;

  /** `backlog`: maximum number of half-open connections of the listener. */
  constructor(backlog: number) {
    super(MIN_PER_SOURCE);
    this.limit = Math.min(backlog, Math.max(MIN_PER_SOURCE, Math.floor(backlog / SHARE_DIVISOR)));
  }

  /** The oldest attempt of the source of `remote` if that source has reached its limit. */
  oldestBeyondLimit(remote: IpAddress): Tcb | undefined {
    const { items } = this.of(remote);
    if (items.size < this.limit) return undefined;
    const [oldest] = items;
    return oldest;
  }
}
