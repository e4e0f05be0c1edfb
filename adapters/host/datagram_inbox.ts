/**
 * The receive queue of a UDP socket.
 *
 * @module
 */

/** Maximum number of bytes in the queue; further datagrams are dropped. */
const MAX_BYTES = 1 << 20;
/** Maximum number of datagrams in the queue, empty ones included. */
const MAX_DATAGRAMS = 1024;

/** A bounded queue for one receiver. */
export class DatagramInbox {
  /** Datagrams dropped because the queue was full. */
  dropped = 0;
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  #ended = false;

  /** Adds a copy: a small datagram must not keep the whole receive buffer of the runtime alive. */
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
   * @throws The error that {@link end} was called with.
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

  /** Ends the queue; queued datagrams can still be received. */
  end(failure?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wakeUp();
  }

  /** Ends the queue and drops its datagrams. */
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
