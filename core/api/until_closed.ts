/**
 * Iterating over what comes to something that is closed one day.
 *
 * @module
 */
import { TcpError } from "./errors.ts";

/** What `next` resolves with, again and again, until it rejects with `LISTENER_CLOSED`. */
export async function* untilClosed<T>(next: () => Promise<T>): AsyncIterableIterator<T> {
  try {
    for (;;) yield await next();
  } catch (error) {
    if (!(error instanceof TcpError && error.code === "LISTENER_CLOSED")) throw error;
  }
}
