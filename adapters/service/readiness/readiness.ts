/**
 * Whether new clients should be sent to this service, from its start to its end.
 *
 * @module
 */
import { type Clock, sleepUntil } from "../../../core/api/environment.ts";
import type { Stack } from "../../../core/api/types.ts";

/**
 * `joining` until the other instances list this one as a member, then `serving`. A `lame duck` is no longer ready,
 * but still accepts SYNs. A `draining` service refuses SYNs, and open connections continue.
 */
export type ServingState = "joining" | "serving" | "lame duck" | "draining";

/** The state of a service. It only moves forward. */
export class Readiness {
  readonly #clock: Clock;
  readonly #onChange: (state: ServingState) => void;
  #state: ServingState = "serving";
  readonly #hasJoined: () => boolean;
  #lameDuck: Promise<void> | undefined;
  readonly #skip = new AbortController();

  /**
   * `onChange` is called when the state becomes `lame duck` or `draining`. The state is `joining` until `hasJoined`
   * returns true.
   */
  constructor(
    clock: Clock,
    onChange: (state: ServingState) => void = () => {},
    hasJoined: () => boolean = () => true,
  ) {
    this.#clock = clock;
    this.#hasJoined = hasJoined;
    this.#onChange = onChange;
  }

  /** The state. */
  get state(): ServingState {
    return this.#state === "serving" && !this.#hasJoined() ? "joining" : this.#state;
  }

  /**
   * Becomes `lame duck` at once, and `draining` after `ms` milliseconds, when the promise resolves. Later calls wait
   * for the first one.
   */
  withdraw(ms: number): Promise<void> {
    return this.#lameDuck ??= this.#withdraw(ms);
  }

  /** Ends the time as a lame duck at once, or skips it. */
  skipLameDuck(): void {
    this.#skip.abort();
  }

  async #withdraw(ms: number): Promise<void> {
    if (ms > 0 && !this.#skip.signal.aborted) {
      this.#enter("lame duck");
      await sleepUntil(this.#clock, this.#clock.now() + ms, this.#skip.signal);
    }
    this.#enter("draining");
  }

  #enter(state: ServingState): void {
    this.#state = state;
    this.#onChange(state);
  }
}

const READINESS = new WeakMap<Pick<Stack, "connect">, Readiness>();

/** Makes the state of a service available to the plugins on its stack. */
export function setReadiness(stack: Pick<Stack, "connect">, readiness: Readiness): void {
  READINESS.set(stack, readiness);
}

/** The state of the service that runs on a stack; `serving` if the stack does not belong to a service. */
export function readinessOf(stack: Pick<Stack, "connect">): ServingState {
  return READINESS.get(stack)?.state ?? "serving";
}
