/**
 * A stack with sockets, on a link whose other end is the test.
 *
 * @module
 */
import { VirtualClock } from "../../adapters/runtime/virtual_clock.ts";
import type { TcpOptions } from "../../core/api/config.ts";
import { createStack } from "../../core/api/stack.ts";
import type { Stack, TcpSocket } from "../../core/api/types.ts";
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";
import { decode, type SentSegment } from "../support/dsl/decode.ts";
import { encodeTcp, type TcpFields } from "../support/dsl/encode.ts";

/** `10.0.0.2` is the stack, `10.0.0.1` the peer. */
export class ApiPeer implements AsyncDisposable {
  readonly stack: Stack;
  readonly clock: VirtualClock = new VirtualClock(1_000_000);
  readonly #link = new TestLink();

  constructor(tcp: TcpOptions = {}) {
    this.stack = createStack({
      link: this.#link,
      addresses: ["10.0.0.2/24"],
      clock: this.clock,
      tcp: { profile: "internet", ...tcp },
    });
  }

  /** Opens a connection from the stack; the peer's ISN is 0. */
  async connected(): Promise<{ socket: TcpSocket; syn: SentSegment }> {
    const socket = this.stack.connect("10.0.0.1:80", { allowHalfOpen: true });
    socket.closed.catch(() => {});
    const syn = await this.sent();
    this.reply(syn, { flags: 18, seq: 0, ack: syn.seq + 1 });
    await socket.opened;
    await this.sent();
    return { socket, syn };
  }

  /** The next segment sent by the stack. */
  async sent(): Promise<SentSegment> {
    await this.clock.runUntil(() => this.#link.sent.length > 0, { limitMs: 1000 });
    return decode(this.#link.sent.shift()!) as SentSegment;
  }

  /** Sends a segment to the source of `to`. */
  reply(
    to: SentSegment,
    fields: Partial<TcpFields> & Pick<TcpFields, "flags" | "seq" | "ack">,
  ): void {
    this.#link.put(encodeTcp({
      source: to.destination,
      destination: to.source,
      sourcePort: to.destinationPort,
      destinationPort: to.sourcePort,
      window: 65535,
      ...fields,
      ack: fields.ack >>> 0,
    }));
  }

  /** Waits until all pending work has run. */
  settle(): Promise<void> {
    return this.clock.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack[Symbol.asyncDispose]();
  }
}

/** A link that queues packets in arrays. */
class TestLink implements Link {
  readonly name = "test";
  readonly features: LinkFeatures = { mtu: 1500, maxSuperPacket: 0, checksumOffload: false };
  readonly sent: Uint8Array<ArrayBuffer>[] = [];
  readonly #waiting: Uint8Array<ArrayBuffer>[] = [];
  #wake: ((open: boolean) => void) | undefined;
  #closed = false;

  put(packet: Uint8Array<ArrayBuffer>): void {
    this.#waiting.push(packet);
    this.#wake?.(true);
  }

  receive(batch: PacketBatch): number {
    const count = Math.min(batch.capacity, this.#waiting.length);
    for (const [i, packet] of this.#waiting.splice(0, count).entries()) {
      batch.packets[i] = packet;
      batch.sizes[i] = packet.length;
      batch.checksums[i] = "full";
      batch.segmentSizes[i] = 0;
    }
    return count;
  }

  ready(): Promise<boolean> {
    if (this.#closed || this.#waiting.length > 0) return Promise.resolve(!this.#closed);
    return new Promise((resolve) => this.#wake = resolve);
  }

  send(packet: OutgoingPacket): boolean {
    const bytes = new Uint8Array(packet.byteLength);
    packet.copyTo(bytes, 0);
    this.sent.push(bytes);
    return true;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#wake?.(false);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
