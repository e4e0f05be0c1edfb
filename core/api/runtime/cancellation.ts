/**
 * Cancellation of work, in place of an `AbortSignal`, which takes ten times the memory and time.
 *
 * @module
 */
import { forEachOf, type SmallList, withOne, withoutOne } from "./small_list.ts";

/** Called once when the work is cancelled. */
export type CancelListener = (() => void) | { handleEvent(): void };

/** The part of an `AbortSignal` that tells work when it is cancelled. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: "abort", listener: CancelListener): void;
  removeEventListener(type: "abort", listener: CancelListener): void;
}

/** A {@link CancelSignal} and its controller; an `AbortSignal` is made only if it is asked for. */
export class Cancellation implements CancelSignal {
  reason: unknown = undefined;
  #isAborted = false;
  #listeners: SmallList<CancelListener> = undefined;
  #controller: AbortController | undefined = undefined;

  get aborted(): boolean {
    return this.#isAborted;
  }

  /** Whether anything listens for the cancellation. */
  get isObserved(): boolean {
    return this.#listeners !== undefined || this.#controller !== undefined;
  }

  /** Aborted with this cancellation. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }

  addEventListener(_type: "abort", listener: CancelListener): void {
    if (!this.#isAborted) this.#listeners = withOne(this.#listeners, listener);
  }

  removeEventListener(_type: "abort", listener: CancelListener): void {
    this.#listeners = withoutOne(this.#listeners, listener);
  }

  /** Cancels the work; further calls have no effect. */
  abort(reason: unknown): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.reason = reason;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    this.#controller?.abort(reason);
    forEachOf(listeners, call);
  }
}

function call(listener: CancelListener): void {
  if (typeof listener === "function") listener();
  else listener.handleEvent();
}
