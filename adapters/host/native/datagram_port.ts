/**
 * UDP ports of the host's kernel, used through foreign functions.
 *
 * @module
 */
import type { HostPort } from "../../../core/api/host_port.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import {
  AF_INET6,
  type Bytes,
  EAGAIN,
  EINTR,
  intBytes,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  MSG_NOSIGNAL,
  POLLERR,
  POLLIN,
  POLLOUT,
  readInt,
  SO_RCVBUF,
  SOCK_DGRAM,
  SOL_SOCKET,
} from "../../runtime/libc/linux.ts";
import type { DatagramClient, HostDatagramOptions, HostDatagramPort } from "../datagram_port.ts";
import { ClientSocket } from "./client_socket.ts";
import { DatagramReceiver } from "./datagram_receiver.ts";
import type { ReadyOwner } from "./event_set.ts";
import {
  familyOf,
  ipSocketAddress,
  mappedSocketAddress,
  MAX_IP_ADDRESS_SIZE,
} from "./socket_address.ts";
import type { NativeSockets } from "./sockets.ts";

/**
 * Maximum number of turns in which {@link NativeDatagramPort.handOver} receives the datagrams that have arrived
 * already.
 */
const LAST_TURNS = 64;

interface Waiting extends PromiseWithResolvers<number> {
  readonly datagram: Uint8Array;
  readonly client: DatagramClient;
}

/** An open port of the host. */
export class NativeDatagramPort implements HostDatagramPort, ReadyOwner {
  readonly address: HostPort;
  readonly descriptor: number;
  readonly #sockets: NativeSockets;
  readonly #onDatagram: HostDatagramOptions["onDatagram"];
  readonly #receiver: DatagramReceiver;
  /** Datagrams that wait for room in the kernel's send buffer; each client sends one at a time. */
  #waiting: Waiting[] = [];
  #isPaused = false;
  #isClosed = false;

  /** Takes over a bound descriptor, which the caller adds to the event set. */
  constructor(
    sockets: NativeSockets,
    descriptor: number,
    address: HostPort,
    { onDatagram }: HostDatagramOptions,
  ) {
    this.#sockets = sockets;
    this.descriptor = descriptor;
    this.address = address;
    this.#onDatagram = onDatagram;
    this.#receiver = new DatagramReceiver(sockets, descriptor, onDatagram);
  }

  clientAt({ hostname, port }: HostPort): DatagramClient {
    const ip = IpAddress.parse(hostname);
    if (ip === undefined) throw new TypeError(`${hostname} is not an IP address`);
    const isMapped = ip.isV4 && IpAddress.parse(this.address.hostname)?.isV4 === false;
    const socketAddress = isMapped ? mappedSocketAddress(ip, port) : ipSocketAddress(ip, port);
    return { hostname, port, socketAddress };
  }

  send(datagram: Uint8Array, client: DatagramClient): Promise<number> {
    if (this.#isClosed) return Promise.reject(new Error("the port is closed"));
    const error = this.#waiting.length > 0 ? EAGAIN : this.#sendNow(datagram, client);
    if (error === undefined) return Promise.resolve(datagram.length);
    if (error !== EAGAIN) return Promise.reject(this.#sockets.error("sendto", error));
    const waiting = { datagram, client, ...Promise.withResolvers<number>() };
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  onReady(events: number): void {
    if (this.#isClosed) return;
    if ((events & POLLOUT) !== 0) this.#sendWaiting();
    if (events === 0 || (events & (POLLIN | POLLERR)) !== 0) this.#receive();
  }

  pause(): void {
    this.#isPaused = true;
  }

  separate(client: DatagramClient): { close(): void } | undefined {
    const local: Bytes = new Uint8Array(MAX_IP_ADDRESS_SIZE);
    const size = intBytes(MAX_IP_ADDRESS_SIZE);
    const remote = client.socketAddress ?? this.clientAt(client).socketAddress!;
    if (this.#sockets.host.libc.getsockname(this.descriptor, local, size) < 0) return undefined;
    return ClientSocket.open(
      this.#sockets,
      this.descriptor,
      local.subarray(0, readInt(size)),
      remote,
      this.#onDatagram,
    );
  }

  handOver(): void {
    for (let turn = 0; turn < LAST_TURNS; turn++) {
      if (!this.#receiver.receive(() => this.#isPaused || this.#isClosed)) break;
    }
    this.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    // Datagrams may have arrived since the last event.
    this.#sockets.events.again(this);
  }

  close(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#isClosed = true;
    // Another process may have the same socket.
    this.#sockets.events.remove(this.descriptor);
    this.#sockets.host.libc.close(this.descriptor);
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("the port is closed"));
    return Promise.resolve();
  }

  /** Returns the error number if the datagram was not sent. */
  #sendNow(datagram: Uint8Array, client: DatagramClient) {
    const { libc, errno } = this.#sockets.host;
    const to = client.socketAddress ?? this.clientAt(client).socketAddress!;
    const bytes = datagram as Bytes;
    for (;;) {
      const sent = libc.sendto(
        this.descriptor,
        bytes,
        bytes.length,
        MSG_NOSIGNAL,
        to,
        to.length,
      );
      if (sent >= 0) return undefined;
      const error = errno();
      if (error !== EINTR) return error;
    }
  }

  #sendWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const error = this.#sendNow(next.datagram, next.client);
      if (error === EAGAIN) return;
      this.#waiting.shift();
      if (error === undefined) next.resolve(next.datagram.length);
      else next.reject(this.#sockets.error("sendto", error));
    }
  }

  #receive(): void {
    const isStopped = () => this.#isPaused || this.#isClosed;
    if (this.#receiver.receive(isStopped)) this.#sockets.events.again(this);
  }
}

/**
 * Takes over a UDP socket that another process has opened.
 *
 * @throws {Error} The descriptor is not a UDP socket; it is closed.
 */
export function takeOverDatagrams(
  sockets: NativeSockets,
  descriptor: number,
  options: HostDatagramOptions,
): NativeDatagramPort {
  const address = sockets.localAddress(descriptor);
  if (address !== undefined) {
    const port = new NativeDatagramPort(sockets, descriptor, address, options);
    if (sockets.events.add(descriptor, port)) return port;
  }
  sockets.host.libc.close(descriptor);
  throw new Error(`descriptor ${descriptor} is not a UDP socket`);
}

/**
 * Listens on an address and port; port 0 stands for any free port.
 *
 * @throws {Error} The port cannot be opened; `code` is the kernel's.
 */
export function listenNativeDatagrams(
  sockets: NativeSockets,
  { hostname, port }: HostPort,
  options: HostDatagramOptions,
): NativeDatagramPort {
  const ip = IpAddress.parse(hostname);
  if (ip === undefined) throw new TypeError(`${hostname} is not an IP address`);
  const wanted = ipSocketAddress(ip, port);
  const descriptor = sockets.open(familyOf(wanted), SOCK_DGRAM);
  const { ipv6Only = false, receiveBuffer } = options;
  // Like node:dgram: a socket bound to :: receives IPv4 too.
  if (familyOf(wanted) === AF_INET6) {
    sockets.setOption(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, Number(ipv6Only));
  }
  if (receiveBuffer !== undefined) {
    sockets.setOption(descriptor, SOL_SOCKET, SO_RCVBUF, receiveBuffer);
  }
  if (sockets.host.libc.bind(descriptor, wanted, wanted.length) < 0) {
    const error = sockets.error("bind");
    sockets.host.libc.close(descriptor);
    throw error;
  }
  return takeOverDatagrams(sockets, descriptor, options);
}
