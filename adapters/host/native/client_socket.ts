/**
 * A socket for one client of a UDP port, through foreign functions.
 *
 * @module
 */
import { POLLERR, POLLIN, SO_REUSEADDR, SOCK_DGRAM, SOL_SOCKET } from "../../runtime/libc/linux.ts";
import type { Bytes } from "../../runtime/libc/linux.ts";
import type { HostDatagramOptions } from "../datagram_port.ts";
import { DatagramReceiver } from "./datagram_receiver.ts";
import type { ReadyOwner } from "./event_set.ts";
import { familyOf } from "./socket_address.ts";
import type { NativeSockets } from "./sockets.ts";

/** A connected socket with the address of a port: the kernel prefers it for datagrams of its client. */
export class ClientSocket implements ReadyOwner {
  readonly #sockets: NativeSockets;
  readonly #descriptor: number;
  readonly #receiver: DatagramReceiver;
  #isClosed = false;

  private constructor(
    sockets: NativeSockets,
    descriptor: number,
    onDatagram: HostDatagramOptions["onDatagram"],
  ) {
    this.#sockets = sockets;
    this.#descriptor = descriptor;
    this.#receiver = new DatagramReceiver(sockets, descriptor, onDatagram);
  }

  /**
   * Opens a socket for the `client` of the socket `port`, which is bound to `local`. Between bind() and connect() it
   * may receive datagrams of other clients. Returns `undefined` if there is no descriptor for it, or the kernel
   * refuses.
   */
  static open(
    sockets: NativeSockets,
    port: number,
    local: Bytes,
    client: Bytes,
    onDatagram: HostDatagramOptions["onDatagram"],
  ): ClientSocket | undefined {
    const { libc } = sockets.host;
    let descriptor: number;
    try {
      descriptor = sockets.open(familyOf(local), SOCK_DGRAM);
    } catch {
      return undefined;
    }
    // Both sockets need SO_REUSEADDR to share the address. The port's socket has it only during these calls, because
    // with it any local process could bind to the port.
    sockets.setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    sockets.setOption(port, SOL_SOCKET, SO_REUSEADDR, 1);
    const isConnected = libc.bind(descriptor, local, local.length) === 0 &&
      libc.connect(descriptor, client, client.length) === 0;
    sockets.setOption(port, SOL_SOCKET, SO_REUSEADDR, 0);
    const socket = new ClientSocket(sockets, descriptor, onDatagram);
    if (!isConnected || !sockets.events.add(descriptor, socket)) {
      libc.close(descriptor);
      return undefined;
    }
    socket.#receive();
    return socket;
  }

  onReady(events: number): void {
    if (events === 0 || (events & (POLLIN | POLLERR)) !== 0) this.#receive();
  }

  /** Closes the socket; the port receives further datagrams of the client. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sockets.close(this.#descriptor);
  }

  #receive(): void {
    if (this.#receiver.receive(() => this.#isClosed)) this.#sockets.events.again(this);
  }
}
