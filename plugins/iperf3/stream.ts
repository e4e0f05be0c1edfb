/**
 * A data connection.
 *
 * @module
 */
import { sleepUntil } from "../../core/api/environment.ts";
import type { Clock, TcpSocket } from "../../core/api/types.ts";
import type { Parameters } from "./protocol.ts";

/** Where the bytes of every connection go; nobody looks at them. */
const SINK = new Uint8Array(128 * 1024);

/** Carries bytes one way, as fast as they are taken, and counts them. */
export class DataStream {
  /** Bytes that count. */
  bytes = 0;
  readonly #socket: TcpSocket;
  #retransmitsBefore = 0;

  /** Makes a stream of a connection that has shown its cookie. */
  constructor(socket: TcpSocket) {
    this.#socket = socket;
  }

  /** Segments sent again, of those that count. */
  get retransmits(): number {
    return this.#socket.stats().retransmits - this.#retransmitsBefore;
  }

  /** What has been carried so far does not count. */
  reset(): void {
    this.bytes = 0;
    this.#retransmitsBefore = this.#socket.stats().retransmits;
  }

  /** Reads until the peer ends or `stop` is aborted; goes on discarding after that. */
  async receive(stop: AbortSignal): Promise<void> {
    for (;;) {
      const count = await this.#socket.read(SINK);
      if (count === null) return;
      if (!stop.aborted) this.bytes += count;
    }
  }

  /** Sends `block` over and over, as often as the parameters want, until `stop` is aborted. */
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

  /** Ends the connection, whatever it is doing. */
  abort(): void {
    this.#socket.abort();
  }
}
