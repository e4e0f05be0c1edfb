/**
 * Chooses among targets.
 *
 * @module
 */
import type { SlotOptions } from "../shared/shared_limit.ts";
import type { Target } from "./target.ts";

/** Which of several targets is next. */
export type Balance = "round-robin" | "least-connections";

/** Deals connections out to targets. */
export class Balancer {
  readonly #targets: readonly Target[];
  readonly #balance: Balance;
  /** The place after the target that was chosen last. */
  #next = 0;

  constructor(targets: readonly Target[], balance: Balance) {
    this.#targets = targets;
    this.#balance = balance;
  }

  /**
   * The targets for one connection of `client`, to be tried one after the other: those that are up,
   * each once, chosen when it is asked for. Where none is up all are tried: what is known of them may
   * be old. Full ones come last, where another client has to make room.
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

/** Of equal ones the first. */
function leastConnections(targets: readonly Target[]): Target | undefined {
  return targets.reduce<Target | undefined>(
    (least, each) => least && least.limit.size <= each.limit.size ? least : each,
    undefined,
  );
}
