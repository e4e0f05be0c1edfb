/**
 * Data connections.
 *
 * @module
 */
import { sleepUntil } from "../../core/api/environment.ts";
import type { Clock, TcpSocket } from "../../core/api/types.ts";
import type { Parameters } from "./protocol.ts";

/** Receives the bytes of every connection; they are not used. */
const SINK = new Uint8Array(128 * 1024);

/** Sends or receives as fast as possible, and counts the bytes. */
export class DataStream {
  /** Bytes counted. */
  bytes = 0;
  readonly #socket: TcpSocket;
  #retransmitsBefore = 0;

  /** A stream on a connection whose cookie was read. */
  constructor(socket: TcpSocket) {
    this.#socket = socket;
  }

  /** Retransmitted segments since {@link reset}. */
  get retransmits(): number {
    return this.#socket.stats().retransmits - this.#retransmitsBefore;
  }

  /** Restarts the counters. */
  reset(): void {
    this.bytes = 0;
    this.#retransmitsBefore = this.#socket.stats().retransmits;
  }

  /** Reads until the peer closes; bytes after `stop` are not counted. */
  async receive(stop: AbortSignal): Promise<void> {
    for (;;) {
      const count = await this.#socket.read(SINK);
      if (count === null) return;
      if (!stop.aborted) this.bytes += count;
    }
  }

  /** Sends `block` repeatedly, as the parameters say, until `stop` is aborted. */
  async send(
    block: Uint8Array,
    parameters: Parameters,
    clock: Clock,
    stop: AbortSignal,
  ): Promise<void> {
    const { num, blockcount, bandwidth } = parameters;
    const began = clock.now();
    let left = num || blockcount * block.length || Infinity;
    for (let sent = 0; left > 0 && !stop.aborted; left -= block.length) {
      sent += await this.#socket.write(left < block.length ? block.subarray(0, left) : block);
      if (stop.aborted) break;
      this.bytes += Math.min(left, block.length);
      if (bandwidth > 0) await sleepUntil(clock, began + sent * 8000 / bandwidth, stop);
    }
    await this.#socket.closeWrite();
  }

  /** Aborts the connection. */
  abort(): void {
    this.#socket.abort();
  }
}
