/**
 * One target of a client's datagrams.
 *
 * @module
 */
import type { Clock } from "../../core/api/environment.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import { SerialQueue } from "../../core/api/runtime/serial_queue.ts";
import { IdleTimeout } from "../shared/idle_timeout.ts";
import type { DatagramsTo } from "../shared/outbound.ts";

/** A socket of its own, which may still be on the way. Iterating gives what comes from it. */
export class AssociatedTarget implements AsyncIterable<Uint8Array<ArrayBuffer>> {
  /** Datagrams that are being sent. */
  waiting = 0;
  #isOpen = false;
  readonly #opened: Promise<DatagramsTo>;
  readonly #turns = new SerialQueue();
  readonly #idle: IdleTimeout;

  /** Is closed when `idleTimeoutMs` have passed without a datagram, either way. */
  constructor(opened: Promise<DatagramsTo>, clock: Clock, idleTimeoutMs: number) {
    this.#opened = opened;
    opened.then(() => this.#isOpen = true, () => {});
    this.#idle = new IdleTimeout(clock, idleTimeoutMs, () => this.close());
  }

  /** There is a way to it. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Its IP address and port.
   *
   * @throws {OutboundError} There is no way to it.
   */
  get address(): Promise<HostPort> {
    return this.#opened.then(({ address }) => address);
  }

  /**
   * Sends one datagram, behind those before it.
   *
   * @throws {OutboundError} There is no way to it.
   * @throws {TcpError} The datagram cannot be sent.
   */
  async send(datagram: Uint8Array): Promise<void> {
    this.waiting++;
    this.#idle.touch();
    try {
      // A runtime may send two that are under way at once in either order.
      await this.#turns.run(async () => {
        const { channel } = await this.#opened;
        await channel.send(datagram);
      });
    } finally {
      this.waiting--;
    }
  }

  /** @throws {TcpError} The network says that nobody is there. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    const { channel } = await this.#opened;
    for (let next = await channel.receive(); next !== null; next = await channel.receive()) {
      this.#idle.touch();
      yield next;
    }
  }

  /** Ends what comes; what is still on the way is closed when it is there. */
  close(): void {
    this.#idle.stop();
    this.#opened.then(({ channel }) => channel.close(), () => {});
  }
}
