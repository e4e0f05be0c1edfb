/**
 * Datagrams of a stack to and from one address.
 *
 * @module
 */
import { TcpError } from "../../core/api/errors.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import type { Stack } from "../../core/api/types.ts";
import type { DatagramConn } from "../../core/api/udp/datagram.ts";
import { IpAddress } from "../../core/wire/address.ts";
import type { DatagramChannel } from "./host_network.ts";

/** A UDP socket of a stack for one remote address; datagrams from other addresses are dropped. */
export class StackDatagrams implements DatagramChannel {
  readonly #socket: DatagramConn;
  readonly #to: HostPort;
  readonly #address: string | undefined;
  #failure: TcpError | undefined;

  /** Binds a free port of the stack, on every address or on `from`. */
  constructor(stack: Pick<Stack, "listenDatagram">, to: HostPort, from: Partial<HostPort> = {}) {
    this.#to = to;
    this.#address = IpAddress.parse(to.hostname)?.toString();
    this.#socket = stack.listenDatagram({
      port: from.port ?? 0,
      ...from.hostname === undefined ? {} : { hostname: from.hostname },
      onError: (error) => {
        // An ICMP error about another address is forged: nothing was sent to it.
        if (error.remote === undefined || !this.#isPeer(error.remote)) return;
        this.#failure ??= error;
        this.#socket.close();
      },
    });
  }

  /**
   * The next datagram; `null` once it is closed.
   *
   * @throws {TcpError} An ICMP error reports that the peer is unreachable.
   */
  async receive(): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      for (;;) {
        const [datagram, from] = await this.#socket.receive();
        if (this.#isPeer(from)) return datagram;
      }
    } catch (error) {
      if (this.#failure !== undefined) throw this.#failure;
      if (error instanceof TcpError && error.code === "LISTENER_CLOSED") return null;
      throw error;
    }
  }

  /** See {@link DatagramConn.send}. */
  send(datagram: Uint8Array): Promise<number> {
    return this.#socket.send(datagram, this.#to);
  }

  /** Closes the socket. */
  close(): void {
    this.#socket.close();
  }

  #isPeer({ hostname, port }: HostPort): boolean {
    return port === this.#to.port && hostname === this.#address;
  }
}
