/**
 * The messages of other instances in a worker. The first worker receives all of them and passes them on; each worker
 * sends its own.
 *
 * @module
 */
import type { HostPort } from "../../../core/api/host_port.ts";
import type { BoundDatagrams, DatagramBuffers } from "../../host/bound_datagrams.ts";

/** Where messages arrive in this thread. */
export interface RelayedMessages {
  /** Whether {@link takeMessage} would return a message. */
  readonly hasMessage: boolean;
  /** The next message. */
  takeMessage(): Uint8Array | undefined;
  /** Called when a message has arrived. */
  onMessage: () => void;
}

/** Sends over a socket, and receives what another thread passes on. */
export class RelayedDatagrams implements BoundDatagrams {
  readonly #socket: BoundDatagrams;
  readonly #messages: RelayedMessages;

  /** Owns `socket`. */
  constructor(socket: BoundDatagrams, messages: RelayedMessages, onReadable: () => void) {
    this.#socket = socket;
    this.#messages = messages;
    messages.onMessage = onReadable;
  }

  get address(): HostPort {
    return this.#socket.address;
  }

  get isReadable(): boolean {
    return this.#messages.hasMessage;
  }

  get descriptor(): number {
    return this.#socket.descriptor!;
  }

  receive({ buffers, sizes }: DatagramBuffers): number {
    let count = 0;
    while (count < buffers.length) {
      const message = this.#messages.takeMessage();
      if (message === undefined) break;
      const buffer = buffers[count]!;
      const length = Math.min(message.length, buffer.length);
      buffer.set(message.subarray(0, length));
      sizes[count++] = length;
    }
    return count;
  }

  send(datagram: Uint8Array<ArrayBuffer>, to: HostPort): boolean {
    return this.#socket.send(datagram, to);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.close();
  }
}
