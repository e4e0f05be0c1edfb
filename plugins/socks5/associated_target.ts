/**
 * A target of a client's datagrams.
 *
 * @module
 */
import type { Clock } from "../../core/api/environment.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import { SerialQueue } from "../../core/api/runtime/serial_queue.ts";
import { IdleTimeout } from "../shared/idle_timeout.ts";
import type { DatagramsTo } from "../shared/outbound.ts";

/** One target with its own socket, which may still be opening. Iteration yields its datagrams. */
export class AssociatedTarget implements AsyncIterable<Uint8Array<ArrayBuffer>> {
  /** Datagrams that are being sent. */
  waiting = 0;
  #isOpen = false;
  readonly #opened: Promise<DatagramsTo>;
  readonly #turns = new SerialQueue();
  readonly #idle: IdleTimeout;

  /** The target is closed after `idleTimeoutMs` without a datagram in either direction. */
  constructor(opened: Promise<DatagramsTo>, clock: Clock, idleTimeoutMs: number) {
    this.#opened = opened;
    opened.then(() => this.#isOpen = true, () => {});
    this.#idle = new IdleTimeout(clock, idleTimeoutMs, () => this.close());
  }

  /** Its socket is open. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Its IP address and port.
   *
   * @throws {OutboundError} Its socket could not be opened.
   */
  get address(): Promise<HostPort> {
    return this.#opened.then(({ address }) => address);
  }

  /**
   * Sends one datagram, after those before it.
   *
   * @throws {OutboundError} Its socket could not be opened.
   * @throws {TcpError} The datagram cannot be sent.
   */
  async send(datagram: Uint8Array): Promise<void> {
    this.waiting++;
    this.#idle.touch();
    try {
      // Runtimes may reorder sends that are pending at the same time.
      await this.#turns.run(async () => {
        const { channel } = await this.#opened;
        await channel.send(datagram);
      });
    } finally {
      this.waiting--;
    }
  }

  /** @throws {TcpError} An ICMP error reports that the target is unreachable. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    const { channel } = await this.#opened;
    for (let next = await channel.receive(); next !== null; next = await channel.receive()) {
      this.#idle.touch();
      yield next;
    }
  }

  /** Closes its socket, at once or as soon as it has opened. */
  close(): void {
    this.#idle.stop();
    this.#opened.then(({ channel }) => channel.close(), () => {});
  }
}
