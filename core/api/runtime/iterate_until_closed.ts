/**
 * Async iteration over a listener or socket until it is closed.
 *
 * @module
 */
import { TcpError } from "../errors.ts";

/**
 * Yields the results of `next` until it rejects with `LISTENER_CLOSED`. Leaving the loop early
 * calls `left` at once, even while a `next()` is pending; a generator would wait for that.
 */
export function iterateUntilClosed<T>(
  next: () => Promise<T>,
  left?: () => void,
): AsyncIterableIterator<T> {
  const end: IteratorReturnResult<undefined> = { done: true, value: undefined };
  let isOver = false;
  const iterator: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      if (isOver) return end;
      try {
        return { done: false, value: await next() };
      } catch (error) {
        isOver = true;
        if (error instanceof TcpError && error.code === "LISTENER_CLOSED") return end;
        throw error;
      }
    },
    return() {
      isOver = true;
      left?.();
      return Promise.resolve(end);
    },
  };
  return iterator;
}
