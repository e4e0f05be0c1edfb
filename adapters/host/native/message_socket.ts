/**
 * Connected Unix sockets that keep the boundaries of messages (SOCK_SEQPACKET).
 *
 * @module
 */
import {
  AF_UNIX,
  type Bytes,
  EAGAIN,
  intBytes,
  O_CLOEXEC,
  O_NONBLOCK,
  POLLOUT,
  readInt,
  SO_PEERCRED,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_SEQPACKET,
  SOL_SOCKET,
} from "../../runtime/libc/linux.ts";
import { MessageReceiver, MessageSender } from "./descriptor_messages.ts";
import type { ReadyOwner } from "./event_set.ts";
import type { NativeSockets } from "./sockets.ts";

/** Maximum size of a message, in bytes. */
export const MAX_MESSAGE = 128 * 1024;
/** Size of the kernel's send buffer; without CAP_NET_ADMIN at most that of `net.core.wmem_max`. */
const SEND_BUFFER = 4 * 1024 * 1024;
/** Maximum number of messages received in one turn of the event set. */
const TURN_MESSAGES = 256;

/** Options of {@link MessageSocket}. */
export interface MessageSocketOptions {
  /** `bytes` are valid during the call only; the descriptors belong to the callee. */
  onMessage(bytes: Bytes, descriptors: readonly number[]): void;
  /** Called once, when the peer has closed the socket or its process has ended. */
  onClose(): void;
  /** Maximum number of bytes that wait for room in the kernel's buffer. */
  readonly maxWaiting: number;
}

/** The identity of the process at the other end. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
}

const shared = new WeakMap<NativeSockets, { sender: MessageSender; receiver: MessageReceiver }>();

function sharedOf(sockets: NativeSockets) {
  let both = shared.get(sockets);
  if (both === undefined) {
    const { host } = sockets;
    both = { sender: new MessageSender(host), receiver: new MessageReceiver(host, MAX_MESSAGE) };
    shared.set(sockets, both);
  }
  return both;
}

/**
 * Opens a pair of connected descriptors.
 *
 * @throws {Error} No file descriptors are left.
 */
export function messageSocketPair(sockets: NativeSockets): [number, number] {
  const pair: Bytes = new Uint8Array(8);
  const type = SOCK_SEQPACKET | O_NONBLOCK | O_CLOEXEC;
  if (sockets.host.libc.socketpair(AF_UNIX, type, 0, pair) < 0) throw sockets.error("socketpair");
  return [readInt(pair, 0), readInt(pair, 4)];
}

/** The process that opened the other end of a connected descriptor. */
export function peerOf({ host }: NativeSockets, descriptor: number): PeerCredentials {
  const credentials: Bytes = new Uint8Array(12);
  host.libc.getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, credentials, intBytes(12));
  return { pid: readInt(credentials, 0), uid: readInt(credentials, 4) };
}

/** One end of a connection. */
export class MessageSocket implements ReadyOwner {
  readonly descriptor: number;
  readonly #sockets: NativeSockets;
  readonly #options: MessageSocketOptions;
  #waiting: Bytes[] = [];
  #waitingBytes = 0;
  #isPaused = false;
  #isClosed = false;

  private constructor(sockets: NativeSockets, descriptor: number, options: MessageSocketOptions) {
    this.#sockets = sockets;
    this.descriptor = descriptor;
    this.#options = options;
  }

  /**
   * Takes over a descriptor; it is closed if this throws.
   *
   * @throws {Error} The kernel refuses to watch it.
   */
  static open(
    sockets: NativeSockets,
    descriptor: number,
    options: MessageSocketOptions,
  ): MessageSocket {
    if (!sockets.setOption(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER)) {
      sockets.setOption(descriptor, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
    }
    const socket = new MessageSocket(sockets, descriptor, options);
    if (sockets.events.add(descriptor, socket)) return socket;
    const error = sockets.error("epoll_ctl");
    sockets.host.libc.close(descriptor);
    throw error;
  }

  /** Number of bytes that wait for room in the kernel's buffer. */
  get waiting(): number {
    return this.#waitingBytes;
  }

  /** The process that opened the other end. */
  get peer(): PeerCredentials {
    return peerOf(this.#sockets, this.descriptor);
  }

  /**
   * Sends a message now or as soon as there is room. Returns false if the message was dropped because too many bytes
   * wait, the socket is closed, or there is no room for its descriptors.
   */
  send(bytes: Bytes, descriptors: readonly number[] = []): boolean {
    if (this.#isClosed) return false;
    if (this.#waiting.length === 0) {
      const error = sharedOf(this.#sockets).sender.send(this.descriptor, bytes, descriptors);
      if (error !== EAGAIN) return error === 0;
    }
    if (descriptors.length > 0) return false;
    if (this.#waitingBytes + bytes.length > this.#options.maxWaiting) return false;
    this.#waiting.push(bytes.slice());
    this.#waitingBytes += bytes.length;
    return true;
  }

  onReady(events: number): void {
    if ((events & POLLOUT) !== 0) this.#sendWaiting();
    if (events === 0 || (events & ~POLLOUT) !== 0) this.#receive();
  }

  /** Closes the descriptor. {@link MessageSocketOptions.onClose} is not called. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Another process may have the same descriptor.
    this.#sockets.events.remove(this.descriptor);
    this.#sockets.host.libc.close(this.descriptor);
  }

  /** Stops receiving until {@link resume}, so that another process with the same descriptor receives the messages. */
  pause(): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    this.#sockets.events.remove(this.descriptor);
  }

  /** Receives again. */
  resume(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    this.#sockets.events.add(this.descriptor, this);
  }

  #sendWaiting(): void {
    let sent = 0;
    const { sender } = sharedOf(this.#sockets);
    while (sent < this.#waiting.length && !this.#isClosed) {
      const bytes = this.#waiting[sent]!;
      if (sender.send(this.descriptor, bytes) === EAGAIN) break;
      this.#waitingBytes -= bytes.length;
      sent++;
    }
    this.#waiting.splice(0, sent);
  }

  #receive(): void {
    const { receiver } = sharedOf(this.#sockets);
    for (let i = 0; i < TURN_MESSAGES; i++) {
      if (this.#isClosed || this.#isPaused) return;
      const message = receiver.receive(this.descriptor);
      if (message === undefined) return;
      if (message.bytes.length === 0) {
        this.close();
        return this.#options.onClose();
      }
      this.#options.onMessage(message.bytes, message.descriptors);
    }
    this.#sockets.events.again(this);
  }
}
