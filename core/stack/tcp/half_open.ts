/**
 * Half-open connections of a listener that decides, by who has begun them: none of many clients takes
 * the places of the others.
 *
 * @module
 */
import type { Tcb } from "../../tcp/tcb.ts";
import type { IpAddress } from "../../wire/address.ts";
import { Sources } from "../../buffers/sources.ts";

/** One source may have a quarter of a backlog, but as many of a small one as nobody minds. */
const SHARE = 4;
/** Sources with so many take turns as they come: honest clients have more than those of forged SYNs. */
const FEW = 64;

/** Counts attempts by their sources, and says who has to make room. */
export class HalfOpenSources extends Sources<Tcb> {
  /** Attempts of one source, at most. */
  readonly limit: number;

  /** For a listener whose half-open connections are `backlog` at most. */
  constructor(backlog: number) {
    super(FEW);
    this.limit = Math.min(backlog, Math.max(FEW, Math.floor(backlog / SHARE)));
  }

  /** The oldest attempt of the source of `remote`, where that has as many as it may. */
  oldestBeyondLimit(remote: IpAddress): Tcb | undefined {
    const { items } = this.of(remote);
    if (items.size < this.limit) return undefined;
    const [oldest] = items;
    return oldest;
  }
}
