/**
 * Sockets of the host's kernel, used through foreign functions.
 *
 * @module
 */
import { constants } from "node:os";
import type { HostPort } from "../../../core/api/host_port.ts";
import { possibleKeepAlive } from "../../../plugins/shared/dial.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";
import { libcHost, mayUseSockets } from "../../runtime/libc/open.ts";
import * as linux from "../../runtime/libc/linux.ts";
import { descriptorFault } from "../descriptors.ts";
import { EventSet } from "./event_set.ts";
import { hostPortOf, MAX_IP_ADDRESS_SIZE } from "./socket_address.ts";

/** Maximum number of bytes per `recv`. */
const RECEIVE_SIZE = 256 * 1024;

/** State shared by the sockets of one thread. */
export class NativeSockets {
  readonly host: LibcHost;
  readonly events: EventSet;
  /** Receive buffer for bytes that are passed on at once. */
  readonly received: linux.Bytes = new Uint8Array(RECEIVE_SIZE);
  readonly #value = new Int32Array(2);
  readonly #valueBytes: linux.Bytes = new Uint8Array(this.#value.buffer);
  readonly #size: linux.Bytes = linux.intBytes(4);

  private constructor(host: LibcHost, events: EventSet) {
    this.host = host;
    this.events = events;
  }

  /**
   * Creates the state; `undefined` if the platform or the permissions do not allow it, or no file descriptor is left.
   */
  static open(): NativeSockets | undefined {
    if (!mayUseSockets()) return undefined;
    let host: LibcHost;
    try {
      host = libcHost();
    } catch {
      return undefined;
    }
    const events = EventSet.open(host);
    if (events !== undefined) return new NativeSockets(host, events);
    host.close();
    return undefined;
  }

  /**
   * A socket that never blocks.
   *
   * @throws {Error} There is no descriptor for it, or the family is not supported.
   */
  open(family: number, type: number): number {
    const flags = linux.O_NONBLOCK | linux.O_CLOEXEC;
    const fd = this.host.libc.socket(family, type | flags, 0);
    if (fd < 0) throw this.error("socket");
    return fd;
  }

  /** Sets an option that is an `int`. */
  setOption(fd: number, level: number, name: number, value: number): boolean {
    this.#value[0] = value;
    return this.host.libc.setsockopt(fd, level, name, this.#valueBytes, 4) === 0;
  }

  /** The options of a TCP connection; a Unix socket has none of them. */
  setTcpOptions(fd: number, keepAliveMs: number): void {
    this.setOption(fd, linux.IPPROTO_TCP, linux.TCP_NODELAY, 1);
    // Otherwise a vanished peer would keep both connections of a relay open indefinitely.
    if (keepAliveMs <= 0) return;
    const seconds = Math.floor(possibleKeepAlive(keepAliveMs) / 1000);
    this.setOption(fd, linux.IPPROTO_TCP, linux.TCP_KEEPIDLE, seconds);
    this.setOption(fd, linux.SOL_SOCKET, linux.SO_KEEPALIVE, 1);
  }

  /** Makes closing the socket send a RST (SO_LINGER with 0). */
  setReset(fd: number): void {
    this.#value[0] = 1;
    this.#value[1] = 0;
    this.host.libc.setsockopt(fd, linux.SOL_SOCKET, linux.SO_LINGER, this.#valueBytes, 8);
  }

  /** Returns the pending error number of a socket and clears it; 0 if there is none. */
  takeError(fd: number): number {
    const { libc } = this.host;
    const { SOL_SOCKET, SO_ERROR } = linux;
    this.#value[0] = 0;
    libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, this.#valueBytes, this.#size);
    return this.#value[0];
  }

  /** The address and port that a socket is bound to; `undefined` if it is not an IP socket. */
  localAddress(fd: number): HostPort | undefined {
    const address: linux.Bytes = new Uint8Array(MAX_IP_ADDRESS_SIZE);
    const size = linux.intBytes(MAX_IP_ADDRESS_SIZE);
    return this.host.libc.getsockname(fd, address, size) < 0 ? undefined : hostPortOf(address);
  }

  /** The smoothed round-trip time of a TCP connection in milliseconds; `undefined` if there is none. */
  rttMs(fd: number): number | undefined {
    const info: linux.Bytes = new Uint8Array(linux.TCP_INFO_RTT + 4);
    const size = linux.intBytes(info.length);
    const { IPPROTO_TCP, TCP_INFO, TCP_INFO_RTT } = linux;
    const isRead = this.host.libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, size) === 0;
    const microseconds = isRead ? linux.readInt(info, TCP_INFO_RTT) : 0;
    return microseconds > 0 ? microseconds / 1000 : undefined;
  }

  /** Closes a descriptor of the event set. */
  close(fd: number): void {
    this.events.closed(fd);
    this.host.libc.close(fd);
  }

  /** The error of the last call, or of `errno`, with the code that `node:net` would give it. */
  error(call: string, errno: number = this.host.errno()): Error & { code: string } {
    const code = NAMES.get(errno) ?? `errno ${errno}`;
    return Object.assign(new Error(`${call} ${code}`), { code, errno, syscall: call });
  }
}

/** Several names may have the same number, such as EAGAIN and EWOULDBLOCK; the first one is used. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).reverse().map(([name, number]) => [number, name]),
);

let sockets: NativeSockets | undefined;
let isDecided = false;

/**
 * The sockets of this thread; `undefined` if `node:net` and `node:dgram` are used instead. The first call decides,
 * unless no file descriptor is left at that time.
 */
export function nativeSockets(): NativeSockets | undefined {
  if (!isDecided) {
    sockets = NativeSockets.open();
    isDecided = sockets !== undefined || descriptorFault() === undefined;
  }
  return sockets;
}
