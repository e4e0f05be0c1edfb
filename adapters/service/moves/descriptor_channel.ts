/**
 * Passes the sockets of connections that move between two services on one machine. The sealed channel carries only
 * bytes, so descriptors have a channel of their own; the name of its socket and a token are sent over the sealed
 * channel.
 *
 * @module
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import process from "node:process";
import type { Attachment } from "../../../core/api/moves/types.ts";
import { MessageSender } from "../../host/native/descriptor_messages.ts";
import { connectMessages, MessageListener } from "../../host/native/message_listener.ts";
import { MessageSocket, peerOf } from "../../host/native/message_socket.ts";
import type { NativeSockets } from "../../host/native/sockets.ts";
import { attachmentsOf, closeAll, descriptorsOf } from "./attachments.ts";

const TOKEN_LENGTH = 16;
const MESSAGE_LENGTH = TOKEN_LENGTH + 4;
/** Maximum number of connections whose descriptors wait for their records. */
export const MAX_WAITING_DESCRIPTORS = 64;

/** Where descriptors are received. */
export interface DescriptorPlace {
  /** A name in the abstract namespace, which every process of the network namespace can find. */
  readonly name: string;
  /** A sender has to present this token, which shows that it knows the secret of the sealed channel. */
  readonly token: Uint8Array;
}

/** The receiving side. */
export class DescriptorReceiver {
  readonly place: DescriptorPlace;
  readonly #sockets: NativeSockets;
  readonly #listener: MessageListener;
  #socket: MessageSocket | undefined;
  /** The descriptors that wait for their records, by the number of the connection. */
  readonly #waiting = new Map<number, readonly number[]>();

  private constructor(sockets: NativeSockets) {
    this.#sockets = sockets;
    this.place = { name: `berth-moves-${crypto.randomUUID()}`, token: randomBytes(TOKEN_LENGTH) };
    this.#listener = MessageListener.open(sockets, this.place.name, (fd) => this.#accept(fd));
  }

  /** @throws {Error} No file descriptor is left. */
  static open(sockets: NativeSockets): DescriptorReceiver {
    return new DescriptorReceiver(sockets);
  }

  /**
   * The sockets of a connection whose record has arrived.
   *
   * @throws {Error} One of them is not a connected socket.
   */
  take(id: number): readonly Attachment[] {
    // The sender sends the descriptors before the record. They may have arrived without having been read.
    if (!this.#waiting.has(id)) this.#listener.onReady();
    if (!this.#waiting.has(id)) this.#socket?.onReady(0);
    const descriptors = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    return attachmentsOf(this.#sockets, descriptors);
  }

  close(): void {
    this.#listener.close();
    this.#socket?.close();
    for (const descriptors of this.#waiting.values()) closeAll(this.#sockets, descriptors);
    this.#waiting.clear();
  }

  #accept(descriptor: number): void {
    const isOther = peerOf(this.#sockets, descriptor).uid !== process.getuid?.();
    if (isOther || this.#socket !== undefined) return closeAll(this.#sockets, [descriptor]);
    const socket = MessageSocket.open(this.#sockets, descriptor, {
      maxWaiting: 0,
      onMessage: (bytes, descriptors) => this.#receive(socket, bytes, descriptors),
      onClose: () => this.#forget(socket),
    });
    this.#socket = socket;
  }

  #receive(socket: MessageSocket, bytes: Uint8Array, descriptors: readonly number[]): void {
    const isKnown = bytes.length === MESSAGE_LENGTH &&
      timingSafeEqual(bytes.subarray(0, TOKEN_LENGTH), this.place.token);
    const id = isKnown ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(TOKEN_LENGTH) : 0;
    if (isKnown && this.#waiting.size < MAX_WAITING_DESCRIPTORS && !this.#waiting.has(id)) {
      return void this.#waiting.set(id, descriptors);
    }
    closeAll(this.#sockets, descriptors);
    if (isKnown) return;
    // A process without the token must not keep the sender from connecting.
    socket.close();
    this.#forget(socket);
  }

  #forget(socket: MessageSocket): void {
    if (this.#socket === socket) this.#socket = undefined;
  }
}

/** The sending side. */
export class DescriptorSender {
  readonly #sockets: NativeSockets;
  readonly #sender: MessageSender;
  readonly #descriptor: number;
  readonly #token: Uint8Array;

  /** @throws {Error} There is no receiver at `place`. */
  constructor(sockets: NativeSockets, { name, token }: DescriptorPlace) {
    this.#sockets = sockets;
    this.#sender = new MessageSender(sockets.host);
    this.#descriptor = connectMessages(sockets, name);
    this.#token = token;
  }

  /** Passes the sockets of a connection; returns false if that is not possible now. */
  send(id: number, attachments: readonly Attachment[]): boolean {
    const descriptors = descriptorsOf(attachments);
    if (descriptors === undefined) return false;
    const message = new Uint8Array(MESSAGE_LENGTH);
    message.set(this.#token);
    new DataView(message.buffer).setUint32(TOKEN_LENGTH, id);
    return this.#sender.send(this.#descriptor, message, descriptors) === 0;
  }

  close(): void {
    closeAll(this.#sockets, [this.#descriptor]);
  }
}
