/**
 * Non-blocking sockets of the kernel, as far as scripts need them, with named errors.
 *
 * @module
 */
import { addressBytes } from "../../support/dsl/addresses.ts";
import type { Bytes, Libc } from "./libc.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_LINGER = 13;
const MSG_NOSIGNAL = 0x4000;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const FIONREAD = 0x541b;
const EAGAIN = 11;
const EINPROGRESS = 115;

/** Options of SOL_SOCKET and IPPROTO_TCP with an `int` value. */
export const OPTION: {
  readonly NO_DELAY: readonly [6, 1];
  readonly MAXSEG: readonly [6, 2];
  readonly CORK: readonly [6, 3];
  readonly KEEPIDLE: readonly [6, 4];
  readonly KEEPINTVL: readonly [6, 5];
  readonly KEEPCNT: readonly [6, 6];
  readonly QUICKACK: readonly [6, 12];
  readonly USER_TIMEOUT: readonly [6, 18];
  readonly KEEPALIVE: readonly [1, 9];
} = {
  NO_DELAY: [6, 1],
  MAXSEG: [6, 2],
  CORK: [6, 3],
  KEEPIDLE: [6, 4],
  KEEPINTVL: [6, 5],
  KEEPCNT: [6, 6],
  QUICKACK: [6, 12],
  USER_TIMEOUT: [6, 18],
  KEEPALIVE: [1, 9],
};

/** This project's names for the kernel's errors. */
const NAMES: Readonly<Record<number, string>> = {
  [EAGAIN]: "nothing",
  32: "0", // EPIPE
  101: "UNREACHABLE", // ENETUNREACH
  103: "CONNECTION_ABORTED",
  104: "CONNECTION_RESET",
  110: "TIMED_OUT",
  111: "CONNECTION_REFUSED",
  113: "UNREACHABLE", // EHOSTUNREACH
};

const STATES = [
  "",
  "ESTABLISHED",
  "SYN-SENT",
  "SYN-RECEIVED",
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "TIME-WAIT",
  "CLOSED",
  "CLOSE-WAIT",
  "LAST-ACK",
  "LISTEN",
  "CLOSING",
];

/** Values of `TCP_INFO`, in bytes and milliseconds. */
export interface Info {
  readonly state: string;
  readonly cwnd: number;
  readonly ssthresh: number;
  readonly rto: number;
  readonly srtt: number;
}

/** A TCP socket. */
export class KernelSocket {
  readonly #libc: Libc;
  readonly #fd: number;
  #isOpen = true;

  private constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
  }

  /** Creates a socket bound to an address and port. */
  static bound(libc: Libc, address: string, port: number): KernelSocket {
    const family = address.includes(":") ? AF_INET6 : AF_INET;
    const fd = libc.calls.socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const socket = new KernelSocket(libc, succeed(fd, libc));
    socket.set([SOL_SOCKET, SO_REUSEADDR], 1);
    const name = socketAddress(address, port);
    succeed(libc.calls.bind(fd, name, name.length), libc);
    return socket;
  }

  listen(backlog: number): void {
    succeed(this.#libc.calls.listen(this.#fd, backlog), this.#libc);
  }

  /** The next connection, or `undefined`. */
  accept(): KernelSocket | undefined {
    const name = new Uint8Array(28);
    const fd = this.#libc.calls.accept4(this.#fd, name, int(28), SOCK_NONBLOCK);
    return fd < 0 ? undefined : new KernelSocket(this.#libc, fd);
  }

  connect(address: string, port: number): string {
    const name = socketAddress(address, port);
    const result = this.#libc.calls.connect(this.#fd, name, name.length);
    return result === 0 || this.#libc.errno() === EINPROGRESS ? "ok" : this.#error();
  }

  /** Reads up to `target.length` bytes; returns the number or the error. */
  read(target: Bytes): string {
    const count = this.#libc.calls.recv(this.#fd, target, target.length, 0);
    return count < 0 ? this.#error() : count === 0 && target.length > 0 ? "EOF" : String(count);
  }

  write(bytes: Bytes): string {
    const from = bytes.length > 0 ? bytes : new Uint8Array(1);
    const count = this.#libc.calls.send(this.#fd, from, bytes.length, MSG_NOSIGNAL);
    return count < 0 ? this.#error() : String(count);
  }

  closeWrite(): void {
    this.#libc.calls.shutdown(this.#fd, 1);
  }

  close(): void {
    if (this.#isOpen) this.#libc.calls.close(this.#fd);
    this.#isOpen = false;
  }

  /** close() with linger 0. */
  abort(): void {
    if (this.#isOpen) this.linger(0);
    this.close();
  }

  linger(seconds: number): void {
    const value = new Uint8Array([...int(1), ...int(seconds)]);
    this.#libc.calls.setsockopt(this.#fd, SOL_SOCKET, SO_LINGER, value, 8);
  }

  set([level, name]: readonly [number, number], value: number): void {
    this.#libc.calls.setsockopt(this.#fd, level, name, int(value), 4);
  }

  /** `TCP_CONGESTION`. */
  setCongestion(name: string): void {
    const bytes = new TextEncoder().encode(name) as Bytes;
    this.#libc.calls.setsockopt(this.#fd, IPPROTO_TCP, 13, bytes, bytes.length);
  }

  /** `SO_ERROR`; reading it clears it. */
  takeError(): string {
    const value = int(0);
    this.#libc.calls.getsockopt(this.#fd, SOL_SOCKET, SO_ERROR, value, int(4));
    const errno = new DataView(value.buffer).getInt32(0, true);
    return errno === 0 ? "none" : NAMES[errno] ?? `errno ${errno}`;
  }

  readable(): number {
    const value = int(0);
    this.#libc.calls.ioctl(this.#fd, FIONREAD, value);
    return new DataView(value.buffer).getInt32(0, true);
  }

  info(): Info {
    const value = new Uint8Array(256);
    this.#libc.calls.getsockopt(this.#fd, IPPROTO_TCP, TCP_INFO, value, int(256));
    const word = (at: number) => new DataView(value.buffer).getUint32(at, true);
    const mss = word(16);
    const ssthresh = word(76);
    return {
      state: STATES[value[0]!] ?? "",
      rto: word(8) / 1000,
      srtt: word(68) / 1000,
      cwnd: word(80) * mss,
      ssthresh: ssthresh >= 0x7fffffff ? Infinity : ssthresh * mss,
    };
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  #error(): string {
    const errno = this.#libc.errno();
    return NAMES[errno] ?? `errno ${errno}`;
  }
}

/** Throws if a call has failed. */
function succeed(result: number, libc: Libc): number {
  if (result < 0) throw new Error(`a socket call failed with errno ${libc.errno()}`);
  return result;
}

function int(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

/** `struct sockaddr_in` or `sockaddr_in6`. */
function socketAddress(address: string, port: number): Bytes {
  const isV6 = address.includes(":");
  const bytes = new Uint8Array(isV6 ? 28 : 16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isV6 ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  bytes.set(addressBytes(address), isV6 ? 8 : 4);
  return bytes;
}
