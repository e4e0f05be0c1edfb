/**
 * Reading without a copy.
 *
 * @module
 */
import type { Reader } from "./socket_waiters.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Whose bytes are looked at. */
export interface ViewSource {
  /** Resolves with a view of what has come; its length is in `views.lent`. */
  nextView(views: Views): Promise<IteratorResult<Bytes>>;
  /** `count` bytes of a view have been dealt with. */
  consume(count: number): void;
}

/** Lends one view after the other: who asks for the next gives the one before back. */
export class Views implements AsyncIterableIterator<Bytes>, Reader {
  /** Bytes of the view that is lent. */
  lent = 0;
  resolve: ((answer: never) => void) | undefined = undefined;
  behind: Reader | undefined = undefined;
  readonly #source: ViewSource;

  constructor(source: ViewSource) {
    this.#source = source;
  }

  get target(): this {
    return this;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Bytes>> {
    Views.#giveBack(this);
    return this.#source.nextView(this);
  }

  return(): Promise<IteratorResult<Bytes>> {
    Views.#giveBack(this);
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Static, as a private method would be a field of all. */
  static #giveBack(views: Views): void {
    const { lent } = views;
    views.lent = 0;
    if (lent > 0) views.#source.consume(lent);
  }
}
