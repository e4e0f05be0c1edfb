/**
 * TCP listeners of the host's kernel, used through foreign functions.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { DEFAULT_KEEP_ALIVE_MS } from "../../../plugins/shared/dial.ts";
import {
  AF_INET6,
  type Bytes,
  EAGAIN,
  ECONNABORTED,
  EINTR,
  EMFILE,
  ENFILE,
  intBytes,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  O_CLOEXEC,
  O_NONBLOCK,
  SO_REUSEADDR,
  SOCK_STREAM,
  SOL_SOCKET,
} from "../../runtime/libc/linux.ts";
import { DESCRIPTOR_ADVICE } from "../descriptors.ts";
import { NativeConnection } from "./connection.ts";
import type { ReadyOwner } from "./event_set.ts";
import { familyOf, hostPortOf, ipSocketAddress, MAX_IP_ADDRESS_SIZE } from "./socket_address.ts";
import type { NativeSockets } from "./sockets.ts";

/** Maximum number of connections accepted in one turn of the event set. */
const TURN_CONNECTIONS = 64;
const BACKLOG = 511;
/** Interval between attempts to accept while there are no file descriptors left, in milliseconds. */
const RETRY_MS = 1000;
/** The lack may begin and end with every connection, so there is at most one line per minute. */
const LOG_MS = 60_000;

/** Options of {@link listenNative}. */
export interface NativeListenOptions {
  readonly log: Logger;
  /** As in `DialOptions`; default two hours. */
  readonly keepAliveMs?: number | undefined;
  /** Called for each connection, with the address of the client. */
  onConnection(connection: NativeConnection, client: HostPort): void;
}

/** An open port of the host. */
export class NativeListener implements ReadyOwner {
  /** The address and port that it is bound to. */
  readonly address: HostPort;
  readonly #sockets: NativeSockets;
  readonly #fd: number;
  readonly #options: NativeListenOptions;
  readonly #client: Bytes = new Uint8Array(MAX_IP_ADDRESS_SIZE);
  readonly #size: Bytes = intBytes(MAX_IP_ADDRESS_SIZE);
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #loggedAt = -Infinity;
  #isLogged = false;
  #isPaused = false;
  #isClosed = false;

  constructor(
    sockets: NativeSockets,
    fd: number,
    address: HostPort,
    options: NativeListenOptions,
  ) {
    this.#sockets = sockets;
    this.#fd = fd;
    this.address = address;
    this.#options = options;
  }

  onReady(_events: number): void {
    for (let i = 0; i < TURN_CONNECTIONS && !this.#isClosed && !this.#isPaused; i++) {
      if (!this.#accept()) return;
    }
    if (!this.#isPaused) this.#sockets.events.again(this);
  }

  /** Returns false if there is no connection, or no descriptor for one. */
  #accept(): boolean {
    const { host, events } = this.#sockets;
    const client = this.#client;
    this.#size[0] = MAX_IP_ADDRESS_SIZE;
    const fd = host.libc.accept4(this.#fd, client, this.#size, O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return this.#isTransient(host.errno());
    this.#noteSuccess();
    this.#sockets.setTcpOptions(fd, this.#options.keepAliveMs ?? DEFAULT_KEEP_ALIVE_MS);
    const connection = new NativeConnection(this.#sockets, fd);
    if (!events.add(fd, connection)) connection.abort();
    else this.#options.onConnection(connection, hostPortOf(client)!);
    return true;
  }

  /** Whether to call accept(2) again at once: it also reports errors that concern only one connection. */
  #isTransient(errno: number): boolean {
    if (errno === EAGAIN) return false;
    if (errno === EINTR || errno === ECONNABORTED) return true;
    const fault = errno === EMFILE ? "EMFILE" : errno === ENFILE ? "ENFILE" : undefined;
    const reason = fault ? DESCRIPTOR_ADVICE[fault] : this.#sockets.error("accept", errno).message;
    this.#logFault(reason);
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      this.onReady(0);
    }, RETRY_MS);
    return false;
  }

  #logFault(reason: string): void {
    if (performance.now() - this.#loggedAt < LOG_MS) return;
    const at = formatHostPort(this.address);
    this.#options.log.error("cannot accept connections", { at, reason });
    this.#loggedAt = performance.now();
    this.#isLogged = true;
  }

  #noteSuccess(): void {
    if (!this.#isLogged) return;
    this.#isLogged = false;
    this.#options.log.info("accepting connections again", { at: formatHostPort(this.address) });
  }

  /** Stops accepting connections. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    // Another process may have the same socket.
    this.#sockets.events.remove(this.#fd);
    this.#sockets.host.libc.close(this.#fd);
  }

  /** The descriptor of the socket, to be passed to another process that accepts its connections too. */
  get descriptor(): number {
    return this.#fd;
  }

  /** Stops accepting until {@link resume}, so that another process with the same socket accepts new connections. */
  pause(): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    this.#sockets.events.remove(this.#fd);
  }

  /** Accepts connections again. */
  resume(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    this.#sockets.events.add(this.#fd, this);
  }
}

/**
 * Accepts the connections of a socket that another process has opened.
 *
 * @throws {Error} `fd` is not a listening socket; it is closed.
 */
export function takeOverListener(
  sockets: NativeSockets,
  fd: number,
  options: NativeListenOptions,
): NativeListener {
  const address = sockets.localAddress(fd);
  if (address !== undefined) {
    const listener = new NativeListener(sockets, fd, address, options);
    if (sockets.events.add(fd, listener)) return listener;
  }
  sockets.host.libc.close(fd);
  throw new Error(`descriptor ${fd} is not a listening socket`);
}

/**
 * Listens on an address and port; port 0 stands for any free port.
 *
 * @throws {Error} The port cannot be opened; `code` is the kernel's.
 */
export function listenNative(
  sockets: NativeSockets,
  { hostname, port }: HostPort,
  options: NativeListenOptions,
): NativeListener {
  const ip = IpAddress.parse(hostname);
  if (ip === undefined) throw new TypeError(`${hostname} is not an IP address`);
  const wanted = ipSocketAddress(ip, port);
  const { libc } = sockets.host;
  const fd = sockets.open(familyOf(wanted), SOCK_STREAM);
  try {
    sockets.setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // Like node:net: a socket bound to :: accepts IPv4 too.
    if (familyOf(wanted) === AF_INET6) sockets.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (libc.bind(fd, wanted, wanted.length) < 0) throw sockets.error("bind");
    if (libc.listen(fd, BACKLOG) < 0) throw sockets.error("listen");
    const listener = new NativeListener(sockets, fd, sockets.localAddress(fd)!, options);
    if (!sockets.events.add(fd, listener)) throw sockets.error("epoll_ctl");
    return listener;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
