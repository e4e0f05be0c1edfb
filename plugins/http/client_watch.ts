/**
 * Detects that a client disconnects while its request is being served (RFC 9112 9.5).
 *
 * @module
 */
import type { ConnectionTimeouts } from "../shared/http/connection_timeouts.ts";
import type { Input } from "../shared/http/input.ts";
import type { Exchange } from "./exchange.ts";

/** Maximum number of bytes of following requests that are read to find the client's FIN. */
const READ_AHEAD_BYTES = 16_384;
/**
 * Interval at which the state of a connection is checked while it is not read from, in
 * milliseconds.
 */
const CHECK_MS = 1000;

/** Called by a {@link ClientWatch}. */
export interface ClientWatchEvents {
  /** The client has closed its side. */
  left(): void;
  /** The connection broke. */
  broke(error: unknown): void;
}

/**
 * Reads ahead, because only a read detects the FIN; the bytes that arrive belong to the next
 * request. It does not read a body that the application has not requested, nor more than 16 KiB of
 * following requests. In these cases, a timer makes the connection check the state of its socket.
 */
export class ClientWatch {
  readonly #input: Input;
  readonly #timeouts: ConnectionTimeouts;
  readonly #events: ClientWatchEvents;
  #exchange: Exchange | undefined;
  #isReading = false;

  /** Watches nothing until {@link start}. */
  constructor(input: Input, timeouts: ConnectionTimeouts, events: ClientWatchEvents) {
    this.#input = input;
    this.#timeouts = timeouts;
    this.#events = events;
  }

  /** Watches the client of `exchange` from now on. */
  start(exchange: Exchange): void {
    this.#exchange = exchange;
    if (this.#isReading) return;
    const expectsBody = exchange.body !== undefined && !exchange.body.ended;
    if (expectsBody || this.#input.length >= READ_AHEAD_BYTES) {
      return this.#timeouts.setRead(CHECK_MS);
    }
    this.#isReading = true;
    this.#input.fill().then((filled) => this.#hasRead(filled), (error) => {
      this.#isReading = false;
      if (this.#exchange) this.#events.broke(error);
    });
  }

  /** Stops watching: the response has been sent, or is no longer needed. */
  stop(): void {
    this.#exchange = undefined;
  }

  #hasRead(filled: boolean): void {
    this.#isReading = false;
    if (!this.#exchange) return;
    if (filled) this.start(this.#exchange);
    else this.#events.left();
  }
}
