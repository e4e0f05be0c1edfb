/**
 * Load balancing.
 *
 * @module
 */
import type { SlotOptions } from "../shared/shared_limit.ts";
import type { Target } from "./target.ts";

/** How the next target is chosen. */
export type Balance = "round-robin" | "least-connections";

/** Distributes connections among targets. */
export class Balancer {
  readonly #targets: readonly Target[];
  readonly #balance: Balance;
  /** Index after the target that was chosen last. */
  #next = 0;

  constructor(targets: readonly Target[], balance: Balance) {
    this.#targets = targets;
    this.#balance = balance;
  }

  /**
   * The targets to try for one connection of `client`, in order: those that are up, each once, each
   * chosen when the generator is advanced. Full targets come last, since another client has to make
   * room there. If no target is up, all of them are tried: their state may be outdated.
   */
  *candidates(now: number, client: string, options?: SlotOptions): Generator<Target, void> {
    const up = this.#targets.filter((target) => target.isUp(now));
    const left = new Set(up.length > 0 ? up : this.#targets);
    const isFree = ({ limit }: Target) => !limit.isFull;
    const admits = ({ limit }: Target) => limit.admits(client, options);
    for (;;) {
      const target = this.#choose(left, isFree) ?? this.#choose(left, admits);
      if (target === undefined) return;
      left.delete(target);
      yield target;
    }
  }

  #choose(
    among: ReadonlySet<Target>,
    isPossible: (target: Target) => boolean,
  ): Target | undefined {
    const inTurn = [...this.#targets.slice(this.#next), ...this.#targets.slice(0, this.#next)]
      .filter((target) => among.has(target) && isPossible(target));
    const chosen = this.#balance === "round-robin" ? inTurn[0] : leastConnections(inTurn);
    if (chosen !== undefined) this.#next = this.#targets.indexOf(chosen) + 1;
    return chosen;
  }
}

/** The target with the fewest connections; the first of several. */
function leastConnections(targets: readonly Target[]): Target | undefined {
  return targets.reduce<Target | undefined>(
    (least, each) => least && least.limit.size <= each.limit.size ? least : each,
    undefined,
  );
}
