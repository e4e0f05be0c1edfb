/**
 * A UDP socket of the host's kernel that sends to any address, used through foreign functions.
 *
 * @module
 */
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import {
  type Bytes,
  EAGAIN,
  EINTR,
  intBytes,
  MessageHeaders,
  MSG_NOSIGNAL,
  POLLERR,
  POLLIN,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_DGRAM,
  SOL_SOCKET,
} from "../../runtime/libc/linux.ts";
import type { BoundDatagrams, DatagramBuffers, DatagramHooks } from "../bound_datagrams.ts";
import { ErrorQueue, keepErrors } from "./error_queue.ts";
import type { ReadyOwner } from "./event_set.ts";
import { familyOf, hostPortOf, ipSocketAddress, MAX_IP_ADDRESS_SIZE } from "./socket_address.ts";
import type { NativeSockets } from "./sockets.ts";

/** Size of the kernel's buffers in bytes, for bursts; without CAP_NET_ADMIN the kernel may grant less. */
const BUFFER_SIZE = 4 * 1024 * 1024;

/** A bound UDP socket. Received datagrams stay in the kernel's buffer until they are read. */
export class NativeBoundDatagrams implements BoundDatagrams, ReadyOwner {
  readonly address: HostPort;
  readonly #sockets: NativeSockets;
  readonly #fd: number;
  readonly #onReadable: () => void;
  readonly #onRefused: (to: HostPort) => void;
  readonly #errors: ErrorQueue;
  readonly #destinations = new Map<string, Bytes>();
  /** The batch that the headers point to. */
  #batch: DatagramBuffers | undefined;
  #headers: MessageHeaders | undefined;
  #isReadable = true;
  #isPaused = false;
  #isClosed = false;

  /** Takes over a bound descriptor, which the caller adds to the event set. */
  constructor(
    sockets: NativeSockets,
    fd: number,
    address: HostPort,
    { onReadable, onRefused = () => {} }: DatagramHooks,
  ) {
    this.#sockets = sockets;
    this.#fd = fd;
    this.address = address;
    this.#onReadable = onReadable;
    this.#onRefused = onRefused;
    this.#errors = new ErrorQueue(sockets.host);
  }

  get isReadable(): boolean {
    return this.#isReadable && !this.#isClosed && !this.#isPaused;
  }

  onReady(events: number): void {
    if ((events & POLLERR) !== 0) this.#takeErrors();
    if ((events & POLLIN) === 0) return;
    this.#isReadable = true;
    if (!this.#isPaused) this.#onReadable();
  }

  /** Removes the socket from the event set, because each datagram would wake this process otherwise. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#sockets.events.remove(this.#fd);
  }

  resume(): void {
    if (this.#isClosed) return;
    if (this.#isPaused) this.#sockets.events.add(this.#fd, this);
    this.#isPaused = false;
    this.#isReadable = true;
    this.#onReadable();
  }

  get descriptor(): number {
    return this.#fd;
  }

  receive(batch: DatagramBuffers): number {
    const { host } = this.#sockets;
    const { buffers, sizes } = batch;
    if (this.#batch !== batch) {
      this.#batch = batch;
      this.#headers = new MessageHeaders(buffers, (bytes) => host.addressOf(bytes));
    }
    const headers = this.#headers!;
    for (let mayFail = true; this.isReadable;) {
      const count = host.libc.recvmmsg(this.#fd, headers.bytes, buffers.length, 0, null);
      for (let i = 0; i < count; i++) sizes[i] = headers.lengthOf(i);
      if (count >= 0) return count;
      // The kernel reports the error of a datagram sent earlier once; the next call receives again.
      const error = host.errno();
      if (error === EINTR) continue;
      this.#isReadable = error !== EAGAIN && mayFail;
      mayFail = false;
      if (error !== EAGAIN) this.#takeErrors();
    }
    return 0;
  }

  send(datagram: Bytes, to: HostPort): boolean {
    if (this.#isClosed) return false;
    const { host } = this.#sockets;
    const address = this.#destinationOf(to);
    if (address === undefined) return false;
    for (let mayFail = true;;) {
      const { length } = datagram;
      const sent = host.libc.sendto(
        this.#fd,
        datagram,
        length,
        MSG_NOSIGNAL,
        address,
        address.length,
      );
      if (sent >= 0) return true;
      const error = host.errno();
      if (error === EINTR) continue;
      if (error === EAGAIN || !mayFail) return false;
      // The error may be that of a datagram sent before.
      mayFail = false;
      this.#takeErrors();
    }
  }

  #takeErrors(): void {
    this.#errors.take(this.#fd, this.#onRefused);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sockets.close(this.#fd);
  }

  #destinationOf(to: HostPort): Bytes | undefined {
    const key = formatHostPort(to);
    let address = this.#destinations.get(key);
    if (address === undefined) {
      const ip = IpAddress.parse(to.hostname);
      if (ip === undefined) return undefined;
      // The peer of a name may change its address at any time, so old entries have to go.
      if (this.#destinations.size >= MAX_DESTINATIONS) this.#destinations.clear();
      this.#destinations.set(key, address = ipSocketAddress(ip, to.port));
    }
    return address;
  }
}

const MAX_DESTINATIONS = 256;

/**
 * Takes over a socket that another process has bound; it is paused.
 *
 * @throws {Error} The descriptor cannot be used.
 */
export function takeOverNativeDatagrams(
  sockets: NativeSockets,
  fd: number,
  hooks: DatagramHooks,
): NativeBoundDatagrams {
  const datagrams = ownerOf(sockets, fd, hooks);
  datagrams.pause();
  return datagrams;
}

/**
 * Binds a UDP socket.
 *
 * @throws {Error} The address cannot be bound; `code` is the kernel's.
 */
export function bindNativeDatagrams(
  sockets: NativeSockets,
  { hostname, port }: HostPort,
  hooks: DatagramHooks,
): NativeBoundDatagrams {
  const { libc } = sockets.host;
  const local = ipSocketAddress(IpAddress.parse(hostname)!, port);
  let fd = -1;
  try {
    fd = sockets.open(familyOf(local), SOCK_DGRAM);
    for (const [force, plain] of [[SO_RCVBUFFORCE, SO_RCVBUF], [SO_SNDBUFFORCE, SO_SNDBUF]]) {
      const isForced = sockets.setOption(fd, SOL_SOCKET, force!, BUFFER_SIZE);
      if (!isForced) sockets.setOption(fd, SOL_SOCKET, plain!, BUFFER_SIZE);
    }
    if (libc.bind(fd, local, local.length) < 0) throw sockets.error("bind");
    return ownerOf(sockets, fd, hooks);
  } catch (error) {
    if (fd >= 0) libc.close(fd);
    throw error;
  }
}

function ownerOf(
  sockets: NativeSockets,
  fd: number,
  hooks: DatagramHooks,
): NativeBoundDatagrams {
  const bound: Bytes = new Uint8Array(MAX_IP_ADDRESS_SIZE);
  sockets.host.libc.getsockname(fd, bound, intBytes(MAX_IP_ADDRESS_SIZE));
  const address = hostPortOf(bound);
  if (address === undefined) throw sockets.error("getsockname");
  keepErrors(sockets, fd, familyOf(bound));
  const datagrams = new NativeBoundDatagrams(sockets, fd, address, hooks);
  if (!sockets.events.add(fd, datagrams)) throw sockets.error("epoll_ctl");
  return datagrams;
}
