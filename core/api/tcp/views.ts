/**
 * Pending reads, and views for reading without a copy.
 *
 * @module
 */
type Bytes = Uint8Array<ArrayBuffer>;

/**
 * What a pending read wants: bytes in the caller's array, a chunk, a step of an iteration, or a view.
 */
export type ReadTarget = Uint8Array | "chunk" | "next chunk" | Views;

/** A pending read. */
export interface Reader {
  readonly target: ReadTarget;
  /**
   * Settles the read with the result of `answerTo()`, or with a rejected promise: a separate
   * `reject` function would cost memory for each pending read. `undefined` if no read is pending.
   */
  resolve: ((answer: never) => void) | undefined;
  /**
   * The next pending read. There is nearly always only one, so a linked list takes less memory than
   * an array.
   */
  behind: Reader | undefined;
}

/** The socket that the views belong to. */
export interface ViewSource {
  /** Resolves with a view of the received bytes; its length is in `views.lent`. */
  nextView(views: Views): Promise<IteratorResult<Bytes>>;
  /** Releases `count` bytes of a view. */
  consume(count: number): void;
}

/** Lends one view at a time: requesting the next one releases the previous one. */
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

  /** Static, because a private method would take a field in every object. */
  static #giveBack(views: Views): void {
    const { lent } = views;
    views.lent = 0;
    if (lent > 0) views.#source.consume(lent);
  }
}
