/**
 * A SYN that plugins decide about.
 *
 * @module
 */
import type { NetAddr, Syn } from "../types.ts";
import type { Cancellation, CancelSignal } from "./cancellation.ts";

/** The SYN of an attempt that may be cancelled. */
export class PendingSyn implements Syn {
  readonly local: NetAddr;
  readonly remote: NetAddr;
  readonly #attempt: Cancellation;

  constructor(local: NetAddr, remote: NetAddr, attempt: Cancellation) {
    this.local = local;
    this.remote = remote;
    this.#attempt = attempt;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  /** For {@link cancellationOf}. */
  get cancellation(): CancelSignal {
    return this.#attempt;
  }
}

/** Like `syn.signal`, but no `AbortSignal` is made for it. */
export function cancellationOf(syn: Syn): CancelSignal {
  return syn instanceof PendingSyn ? syn.cancellation : syn.signal;
}
