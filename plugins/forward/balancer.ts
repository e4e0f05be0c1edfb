/**
 * Chooses among targets.
 *
 * @module
 */
import type { Target } from "./target.ts";

/** Which of several targets is next. */
export type Balance = "round-robin" | "least-connections";

/** Deals connections out to targets. */
export class Balancer {
  readonly #targets: readonly Target[];
  readonly #balance: Balance;
  readonly #maxConnections: number;
  /** The place after the target that was chosen last. */
  #next = 0;

  /** `maxConnections` is each target's. */
  constructor(targets: readonly Target[], balance: Balance, maxConnections: number) {
    this.#targets = targets;
    this.#balance = balance;
    this.#maxConnections = maxConnections;
  }

  /**
   * The targets for one connection, to be tried one after the other: those that are up, each once,
   * chosen when it is asked for. Where none is up all are tried: what is known of them may be old.
   */
  *candidates(now: number): Generator<Target, void> {
    const up = this.#targets.filter((target) => target.isUp(now));
    const left = new Set(up.length > 0 ? up : this.#targets);
    for (let target = this.#choose(left); target !== undefined; target = this.#choose(left)) {
      left.delete(target);
      yield target;
    }
  }

  #choose(among: ReadonlySet<Target>): Target | undefined {
    const inTurn = [...this.#targets.slice(this.#next), ...this.#targets.slice(0, this.#next)]
      .filter((target) => among.has(target) && target.connections < this.#maxConnections);
    const chosen = this.#balance === "round-robin" ? inTurn[0] : leastConnections(inTurn);
    if (chosen !== undefined) this.#next = this.#targets.indexOf(chosen) + 1;
    return chosen;
  }
}

/** Of equal ones the first. */
function leastConnections(targets: readonly Target[]): Target | undefined {
  return targets.reduce<Target | undefined>(
    (least, each) => least && least.connections <= each.connections ? least : each,
    undefined,
  );
}
