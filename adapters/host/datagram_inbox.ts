/**
 * Datagrams that came and were not received yet.
 *
 * @module
 */

/** Bytes that wait, at most; what comes then is dropped. */
const MAX_BYTES = 1 << 20;
/** Datagrams that wait, at most: empty ones count as well. */
const MAX_DATAGRAMS = 1024;

/** A bounded queue with one receiver. */
export class DatagramInbox {
  /** Datagrams that were dropped because nobody received those before them. */
  dropped = 0;
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  #ended = false;

  /** Keeps a copy: a small datagram must not keep the runtime's whole receive buffer. */
  put(datagram: Uint8Array): void {
    if (this.#ended) return;
    const isFull = this.#waiting.length >= MAX_DATAGRAMS ||
      this.#bytes + datagram.byteLength > MAX_BYTES;
    if (isFull) return void this.dropped++;
    this.#waiting.push(new Uint8Array(datagram));
    this.#bytes += datagram.byteLength;
    this.#wakeUp();
  }

  /**
   * The next datagram; `null` at the end.
   *
   * @throws The failure that it has ended with.
   */
  async receive(): Promise<Uint8Array<ArrayBuffer> | null> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#bytes -= next.byteLength;
        return next;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  /** Nothing comes any more; what waits can still be received. */
  end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wakeUp();
  }

  /** Ends it and throws away what waits. */
  discard(): void {
    this.#waiting = [];
    this.#bytes = 0;
    this.end();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
