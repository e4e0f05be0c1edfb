/**
 * A UDP socket of the core as a {@link DatagramConn}.
 *
 * @module
 */
import type { Binding } from "../../stack/binding_table.ts";
import type { Datagram } from "../../udp/datagram.ts";
import type { UdpSocket } from "../../udp/socket.ts";
import { IpAddress } from "../../wire/address.ts";
import { type Endpoint, netAddr, parseEndpoint } from "../addresses.ts";
import { TcpError } from "../errors.ts";
import type { Driver } from "../runtime/driver.ts";
import type { Owner } from "../runtime/owner_notifier.ts";
import { iterateUntilClosed } from "../runtime/iterate_until_closed.ts";
import { bytesFault, detached, isDetached, requireBytes } from "../tcp/bytes.ts";
import type { NetAddr, SocketAddress } from "../types.ts";
import type {
  DatagramAddr,
  DatagramConn,
  ListenDatagramOptions,
  ReceivedDatagram,
} from "./datagram.ts";
import { sendRefusal, udpError } from "./datagram_errors.ts";

interface Waiter {
  readonly target: Uint8Array<ArrayBuffer> | undefined;
  resolve(received: ReceivedDatagram): void;
  reject(error: TypeError): void;
}

/** Owner of a socket in the core. */
export class StackDatagramConn implements DatagramConn, Owner {
  readonly addr: NetAddr;
  readonly #socket: UdpSocket;
  readonly #binding: Binding;
  readonly #driver: Driver;
  readonly #onError: ListenDatagramOptions["onError"];
  readonly #onClose: () => void;
  readonly #waiters: Waiter[] = [];

  constructor(
    { socket, binding }: { socket: UdpSocket; binding: Binding },
    driver: Driver,
    onError: ListenDatagramOptions["onError"],
    onClose: () => void,
  ) {
    this.#socket = socket;
    this.#binding = binding;
    this.#driver = driver;
    this.#onError = onError;
    this.#onClose = onClose;
    this.addr = netAddr(binding.subnet?.network ?? IpAddress.ANY_V4, binding.firstPort, "udp");
    socket.handle = this;
  }

  onEvent(): void {
    while (this.#waiters.length > 0 && this.#socket.queue.count > 0) {
      const { target, resolve, reject } = this.#waiters.shift()!;
      // The buffer was transferred meanwhile: the next receiver gets the datagram.
      if (target !== undefined && isDetached(target)) reject(detached("receive"));
      else resolve(received(this.#socket.queue.shift()!, target));
    }
    for (const { reason, local, localPort, remote, remotePort } of this.#socket.errors.splice(0)) {
      const from = netAddr(local, localPort, "udp");
      const error = udpError(reason, from, netAddr(remote, remotePort, "udp"));
      queueMicrotask(() => this.#onError?.(error));
    }
    // Closed by the application or with the stack.
    if (!this.#socket.closed) return;
    this.#onClose();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#closedError());
  }

  receive(p?: Uint8Array<ArrayBuffer>): Promise<ReceivedDatagram> {
    const fault = p === undefined ? undefined : bytesFault("receive", p);
    if (fault !== undefined) return Promise.reject(fault);
    if (this.#socket.closed) return Promise.reject(this.#closedError());
    const next = this.#socket.queue.shift();
    if (next !== undefined) return Promise.resolve(received(next, p));
    return new Promise((resolve, reject) => {
      this.#waiters.push({ target: p, resolve, reject });
    });
  }

  // deno-lint-ignore require-await -- what cannot be sent is a rejection
  async send(p: Uint8Array, addr: DatagramAddr | SocketAddress): Promise<number> {
    requireBytes("send", p);
    if (this.#socket.closed) throw this.#closedError();
    const { address: remote, port: remotePort } = parseEndpoint(addr);
    const asked = typeof addr === "object" && "local" in addr ? addr.local : undefined;
    const local = asked === undefined ? this.#defaultSource() : this.#sourceOf(asked);
    const now = this.#driver.now();
    const { core } = this.#driver;
    const refused = core.udp.send(local.address, local.port, remote, remotePort, p, now);
    if (refused !== undefined) throw sendRefusal(refused, p, netAddr(remote, remotePort, "udp"));
    this.#driver.touchAfterDatagram();
    return p.length;
  }

  /**
   * The source of a datagram without `addr.local`: the bound address, if it is a single one. With
   * several ports, the caller has to choose one.
   */
  #defaultSource(): { address: IpAddress | undefined; port: number } {
    const { subnet, firstPort, lastPort } = this.#binding;
    if (firstPort !== lastPort) {
      throw new TcpError(
        "INVALID_ADDRESS",
        `The socket has the ports ${firstPort} to ${lastPort}; choose one with \`local\``,
      );
    }
    return { address: subnet?.bits === 128 ? subnet.address : undefined, port: firstPort };
  }

  #sourceOf(local: NetAddr): Endpoint {
    const { address, port } = parseEndpoint(local);
    const { subnet, firstPort, lastPort } = this.#binding;
    if (port >= firstPort && port <= lastPort && (subnet?.contains(address) ?? true)) {
      return { address, port };
    }
    throw new TcpError(
      "ADDRESS_NOT_AVAILABLE",
      `${local.hostname} port ${local.port} is not bound by this socket`,
    );
  }

  close(): void {
    this.#driver.core.udp.unbind(this.#socket);
    this.onEvent();
    this.#driver.touch();
  }

  #closedError(): TcpError {
    return new TcpError("LISTENER_CLOSED", "The socket has been closed", { local: this.addr });
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ReceivedDatagram> {
    return iterateUntilClosed(() => this.receive());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

function received(
  { data, local, localPort, remote, remotePort }: Datagram,
  target: Uint8Array<ArrayBuffer> | undefined,
): ReceivedDatagram {
  const from: DatagramAddr = {
    ...netAddr(remote, remotePort, "udp"),
    local: netAddr(local, localPort, "udp"),
  };
  if (target === undefined) return [data, from];
  const length = Math.min(target.length, data.length);
  target.set(data.subarray(0, length));
  return [target.subarray(0, length), from];
}
