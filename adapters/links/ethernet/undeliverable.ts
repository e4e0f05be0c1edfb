/**
 * ICMP errors that the link generates for packets whose neighbor does not answer (RFC 1812 3.3.2,
 * RFC 4861 7.2.2). The stack receives them as if a router had sent them.
 *
 * @module
 */
import { Queue } from "../../../core/buffers/queue.ts";
import type { OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";
import { unreachable } from "../../../core/stack/replies.ts";
import { IpHeader, parseIp, PROTOCOL } from "../../../core/wire/ip.ts";

/** Maximum number of queued errors; without one, a connection fails by its own timeout. */
const MAX_ERRORS = 1024;
const HOP_LIMIT = 255;

/** Queue of the errors for the stack. */
export class Undeliverable {
  readonly #errors = new Queue<Uint8Array<ArrayBuffer>>();
  readonly #ip = new IpHeader();
  #waiting: PromiseWithResolvers<boolean> | undefined;
  #isPortAwaited = false;

  /** Queues the error about a packet, except about ICMP (RFC 1122 3.2.2). */
  add(packet: OutgoingPacket): void {
    if (this.#errors.count >= MAX_ERRORS) return;
    const bytes = new Uint8Array(packet.byteLength);
    packet.copyTo(bytes, 0);
    const ip = this.#ip;
    if (parseIp(bytes, bytes.length, ip) !== undefined) return;
    if (ip.protocol !== PROTOCOL.TCP && ip.protocol !== PROTOCOL.UDP) return;
    // RFC 1122 3.2.2: only about first fragments, which have the ports.
    if (ip.isFragment && ip.fragmentOffset > 0) return;
    this.#errors.push(unreachable(ip, bytes, "host", HOP_LIMIT));
    this.#settle((waiting) => waiting.resolve(true));
  }

  /** Receives the queued errors, see `Link`. */
  receive(batch: PacketBatch): number {
    const count = Math.min(this.#errors.count, batch.capacity);
    for (let i = 0; i < count; i++) {
      const error = this.#errors.shift()!;
      batch.packets[i] = error;
      batch.sizes[i] = error.length;
      batch.checksums[i] = "full";
      batch.segmentSizes[i] = 0;
    }
    return count;
  }

  /** Waits for an error or the port. A wait on the port may outlive several calls. */
  ready(port: { ready(): Promise<boolean> }): Promise<boolean> {
    if (this.#errors.count > 0) return Promise.resolve(true);
    const { promise } = this.#waiting ??= Promise.withResolvers();
    if (!this.#isPortAwaited) {
      this.#isPortAwaited = true;
      port.ready().finally(() => this.#isPortAwaited = false).then(
        (isOpen) => this.#settle((waiting) => waiting.resolve(isOpen)),
        (error: unknown) => this.#settle((waiting) => waiting.reject(error)),
      );
    }
    return promise;
  }

  #settle(how: (waiting: PromiseWithResolvers<boolean>) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) how(waiting);
  }
}
