/**
 * UDP sockets of the host's kernel, used through foreign functions.
 *
 * @module
 */
import { TcpError } from "../../../core/api/errors.ts";
import { formatHostPort } from "../../../core/api/host_port.ts";
import { bytesFault } from "../../../core/api/tcp/bytes.ts";
import type { IpAddress } from "../../../core/wire/address.ts";
import type { DatagramChannel } from "../../../plugins/shared/host_network.ts";
import {
  type Bytes,
  EAGAIN,
  EINTR,
  MSG_NOSIGNAL,
  POLLERR,
  POLLIN,
  POLLOUT,
  SOCK_DGRAM,
} from "../../runtime/libc/linux.ts";
import { hostError } from "../connection.ts";
import { DatagramInbox } from "../datagram_inbox.ts";
import type { ReadyOwner } from "./event_set.ts";
import { familyOf, ipSocketAddress } from "./socket_address.ts";
import type { NativeSockets } from "./sockets.ts";

/** Maximum number of datagrams that a socket receives in one turn of the event set. */
const TURN_DATAGRAMS = 64;

interface Waiting extends PromiseWithResolvers<number> {
  readonly datagram: Uint8Array;
}

/** A connected UDP socket: the kernel drops datagrams from other addresses. */
export class NativeDatagrams implements DatagramChannel, ReadyOwner {
  readonly #sockets: NativeSockets;
  readonly #fd: number;
  readonly #inbox = new DatagramInbox();
  /** Datagrams that wait for room in the kernel's send buffer. */
  #waiting: Waiting[] = [];
  #isClosed = false;

  /** Takes over a connected descriptor, which the caller adds to the event set. */
  constructor(sockets: NativeSockets, fd: number) {
    this.#sockets = sockets;
    this.#fd = fd;
  }

  /** Number of datagrams dropped because the queue of 1 MiB was full. */
  get dropped(): number {
    return this.#inbox.dropped;
  }

  /**
   * The next datagram; `null` once it is closed.
   *
   * @throws {TcpError} The kernel reports that the port or host is unreachable.
   */
  receive(): Promise<Uint8Array<ArrayBuffer> | null> {
    return this.#inbox.receive();
  }

  /**
   * Sends a datagram; resolves with its length once the kernel has accepted it.
   *
   * @throws {TcpError} The socket was closed, or the kernel refuses the datagram.
   * @throws {TypeError} `datagram` is not a `Uint8Array`.
   */
  send(datagram: Uint8Array): Promise<number> {
    const fault = bytesFault("send", datagram);
    if (fault !== undefined) return Promise.reject(fault);
    if (this.#isClosed) return Promise.reject(closedError());
    const error = this.#waiting.length > 0 ? EAGAIN : this.#sendNow(datagram);
    if (error === undefined) return Promise.resolve(datagram.length);
    if (error !== EAGAIN) return Promise.reject(this.#sendError(error));
    const waiting = { datagram, ...Promise.withResolvers<number>() };
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** Returns the error number if the datagram was not sent. */
  #sendNow(datagram: Uint8Array): number | undefined {
    const { host } = this.#sockets;
    for (;;) {
      const sent = host.libc.send(this.#fd, datagram as Bytes, datagram.length, MSG_NOSIGNAL);
      if (sent >= 0) return undefined;
      const errno = host.errno();
      if (errno !== EINTR) return errno;
    }
  }

  #sendError(errno: number): Error {
    return hostError(this.#sockets.error("send", errno));
  }

  onReady(events: number): void {
    if (this.#isClosed) return;
    if (events & POLLOUT) this.#sendWaiting();
    if (events === 0 || events & (POLLIN | POLLERR)) this.#receive();
  }

  #sendWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const error = this.#sendNow(next.datagram);
      if (error === EAGAIN) return;
      this.#waiting.shift();
      if (error === undefined) next.resolve(next.datagram.length);
      else next.reject(this.#sendError(error));
    }
  }

  #receive(): void {
    const { host, received, events } = this.#sockets;
    for (let i = 0; i < TURN_DATAGRAMS; i++) {
      const length = host.libc.recv(this.#fd, received, received.length, 0);
      if (length >= 0) {
        this.#inbox.put(received.subarray(0, length));
        continue;
      }
      const errno = host.errno();
      if (errno === EAGAIN) return;
      // An ICMP error: port or host unreachable (RFC 1122 4.1.3.3).
      if (errno !== EINTR) return this.#inbox.end(hostError(this.#sockets.error("recv", errno)));
    }
    events.again(this);
  }

  /** Closes the socket. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#inbox.discard();
    this.#sockets.close(this.#fd);
    for (const { reject } of this.#waiting.splice(0)) reject(closedError());
  }
}

/**
 * Opens a UDP socket for one remote address.
 *
 * @throws {TcpError} There is no route to the address, or no file descriptor is left.
 */
export function dialNativeDatagrams(
  sockets: NativeSockets,
  ip: IpAddress,
  port: number,
): NativeDatagrams {
  const address = ipSocketAddress(ip, port);
  const { libc } = sockets.host;
  let fd = -1;
  try {
    fd = sockets.open(familyOf(address), SOCK_DGRAM);
    if (libc.connect(fd, address, address.length) < 0) throw sockets.error("connect");
    const datagrams = new NativeDatagrams(sockets, fd);
    if (!sockets.events.add(fd, datagrams)) throw sockets.error("epoll_ctl");
    return datagrams;
  } catch (error) {
    if (fd >= 0) libc.close(fd);
    (error as Error).message += ` ${formatHostPort({ hostname: ip.toString(), port })}`;
    const known = hostError(error as Error);
    // Connecting a UDP socket only looks up a route.
    if (known instanceof TcpError) throw known;
    throw new TcpError("UNREACHABLE", known.message, { cause: error });
  }
}

function closedError(): TcpError {
  return new TcpError("CLOSING", "the socket was closed");
}
