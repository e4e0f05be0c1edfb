/**
 * Receives datagrams with their senders, through foreign functions.
 *
 * @module
 */
import { type Bytes, EAGAIN, intBytes, readInt } from "../../runtime/libc/linux.ts";
import type { DatagramClient, HostDatagramOptions } from "../datagram_port.ts";
import { hostPortOf, MAX_IP_ADDRESS_SIZE } from "./socket_address.ts";
import type { NativeSockets } from "./sockets.ts";

/** Maximum number of datagrams received in one turn of the event set. */
const TURN_DATAGRAMS = 64;

/** The receiving side of a socket. */
export class DatagramReceiver {
  readonly #sockets: NativeSockets;
  readonly #descriptor: number;
  readonly #onDatagram: HostDatagramOptions["onDatagram"];
  readonly #from: Bytes = new Uint8Array(MAX_IP_ADDRESS_SIZE);
  readonly #size: Bytes = intBytes(MAX_IP_ADDRESS_SIZE);
  /** The sender of the last datagram, which often sends the next one too. */
  #sender: DatagramClient | undefined;

  constructor(
    sockets: NativeSockets,
    descriptor: number,
    onDatagram: HostDatagramOptions["onDatagram"],
  ) {
    this.#sockets = sockets;
    this.#descriptor = descriptor;
    this.#onDatagram = onDatagram;
  }

  /**
   * Receives up to {@link TURN_DATAGRAMS} datagrams; returns whether there may be more. Stops as soon as `isStopped`
   * returns true.
   */
  receive(isStopped: () => boolean): boolean {
    const { host, received } = this.#sockets;
    for (let i = 0; i < TURN_DATAGRAMS; i++) {
      if (isStopped()) return false;
      this.#size.set(intBytes(MAX_IP_ADDRESS_SIZE));
      const length = host.libc.recvfrom(
        this.#descriptor,
        received,
        received.length,
        0,
        this.#from,
        this.#size,
      );
      if (length < 0) {
        if (host.errno() === EAGAIN) return false;
        // EINTR, or an ICMP error about a datagram that was sent to a client.
        continue;
      }
      const from = this.#senderAt(readInt(this.#size));
      if (from !== undefined) this.#onDatagram(received.subarray(0, length), from);
    }
    return true;
  }

  /** The sender whose address has `size` bytes in {@link #from}. */
  #senderAt(size: number): DatagramClient | undefined {
    const last = this.#sender?.socketAddress;
    if (last?.length === size && last.every((byte, i) => byte === this.#from[i])) {
      return this.#sender;
    }
    const socketAddress = this.#from.slice(0, size);
    const from = hostPortOf(socketAddress);
    return this.#sender = from && { ...from, socketAddress };
  }
}
