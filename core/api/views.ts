/**
 * Reading without a copy.
 *
 * @module
 */

type Bytes = Uint8Array<ArrayBuffer>;

/** Whose bytes are looked at. */
export interface ViewSource {
  /** Resolves with a view of what has come; its length is in `views.lent`. */
  nextView(views: Views): Promise<IteratorResult<Bytes>>;
  /** `count` bytes of a view have been dealt with. */
  consume(count: number): void;
}

/** Lends one view after the other: who asks for the next gives the one before back. */
export class Views implements AsyncIterableIterator<Bytes> {
  /** Bytes of the view that is lent. */
  lent = 0;
  readonly #source: ViewSource;

  constructor(source: ViewSource) {
    this.#source = source;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Bytes>> {
    this.#giveBack();
    return this.#source.nextView(this);
  }

  return(): Promise<IteratorResult<Bytes>> {
    this.#giveBack();
    return Promise.resolve({ done: true, value: undefined });
  }

  #giveBack(): void {
    const { lent } = this;
    this.lent = 0;
    if (lent > 0) this.#source.consume(lent);
  }
}
