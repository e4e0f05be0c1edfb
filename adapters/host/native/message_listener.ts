/**
 * Listening Unix sockets for {@link MessageSocket}, in the abstract namespace (unix(7)).
 *
 * @module
 */
import {
  AF_UNIX,
  type Bytes,
  O_CLOEXEC,
  O_NONBLOCK,
  SOCK_SEQPACKET,
} from "../../runtime/libc/linux.ts";
import type { ReadyOwner } from "./event_set.ts";
import { unixSocketAddress } from "./socket_address.ts";
import type { NativeSockets } from "./sockets.ts";

const BACKLOG = 8;

/** Accepts connections. Every process of the network namespace can connect: check the peer. */
export class MessageListener implements ReadyOwner {
  readonly #sockets: NativeSockets;
  readonly #descriptor: number;
  readonly #onConnection: (descriptor: number) => void;
  #isClosed = false;

  private constructor(
    sockets: NativeSockets,
    descriptor: number,
    onConnection: (descriptor: number) => void,
  ) {
    this.#sockets = sockets;
    this.#descriptor = descriptor;
    this.#onConnection = onConnection;
  }

  /**
   * Listens on a name.
   *
   * @throws {Error} The name is in use, or there is no descriptor.
   */
  static open(
    sockets: NativeSockets,
    name: string,
    onConnection: (descriptor: number) => void,
  ): MessageListener {
    const descriptor = sockets.open(AF_UNIX, SOCK_SEQPACKET);
    const { libc } = sockets.host;
    const address = abstractAddress(name);
    const listener = new MessageListener(sockets, descriptor, onConnection);
    if (libc.bind(descriptor, address, address.length) === 0) {
      if (libc.listen(descriptor, BACKLOG) === 0 && sockets.events.add(descriptor, listener)) {
        return listener;
      }
    }
    const error = sockets.error("listen");
    libc.close(descriptor);
    throw error;
  }

  onReady(): void {
    const { libc } = this.#sockets.host;
    for (let i = 0; i < BACKLOG && !this.#isClosed; i++) {
      const fd = libc.accept4(this.#descriptor, null, null, O_NONBLOCK | O_CLOEXEC);
      if (fd < 0) return;
      this.#onConnection(fd);
    }
  }

  /** Stops accepting connections. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sockets.close(this.#descriptor);
  }
}

/**
 * Opens a descriptor that is connected to the listener `name`.
 *
 * @throws {Error} There is no listener of this name.
 */
export function connectMessages(sockets: NativeSockets, name: string): number {
  const descriptor = sockets.open(AF_UNIX, SOCK_SEQPACKET);
  const address = abstractAddress(name);
  if (sockets.host.libc.connect(descriptor, address, address.length) === 0) return descriptor;
  const error = sockets.error("connect");
  sockets.host.libc.close(descriptor);
  throw error;
}

/** An abstract name begins with a zero byte and does not end with one. */
function abstractAddress(name: string): Bytes {
  const address = unixSocketAddress(`@${name}`);
  if (address === undefined) throw new Error("the name is too long");
  address[2] = 0;
  return address.slice(0, -1);
}
