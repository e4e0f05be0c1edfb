/**
 * Constants and structures of the Linux kernel ABI on x86-64 and arm64. Only `struct epoll_event` differs.
 *
 * @module
 */
import process from "node:process";

/** Little-endian bytes of a C structure. */
export type Bytes = Uint8Array<ArrayBuffer>;

// open(2), eventfd(2), socket(2)
export const O_RDWR = 0o2;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_UNIX = 1;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;

// socket(7), tcp(7), ipv6(7)
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_ACCEPTCONN = 30;
export const SO_PEERCRED = 17;
/** Sets a size above the limit for all processes; needs CAP_NET_ADMIN. */
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SCM_RIGHTS = 1;
export const IPPROTO_TCP = 6;
/** `struct tcp_info`, whose `tcpi_rtt` is in microseconds (tcp(7)). */
export const TCP_INFO = 11;
export const TCP_INFO_RTT = 68;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const IPPROTO_IP = 0;
export const IP_RECVERR = 11;
export const IPPROTO_IPV6 = 41;
export const IPV6_RECVERR = 25;
export const IPV6_V6ONLY = 26;
export const MSG_CTRUNC = 0x8;
export const MSG_ERRQUEUE = 0x2000;
export const MSG_NOSIGNAL = 0x4000;
export const MSG_CMSG_CLOEXEC = 0x4000_0000;
export const SHUT_WR = 1;

// epoll(7); the bits of the events are those of poll(2)
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 0x8000_0000;

// asm-generic/ioctls.h
export const FIONBIO = 0x5421;
export const FIOCLEX = 0x5451;

// poll(2)
export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;

// errno(3)
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const ENXIO = 6;
export const EBADF = 9;
export const EAGAIN = 11;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const EBADFD = 77;
export const ECONNABORTED = 103;
export const ECONNREFUSED = 111;
export const EHOSTUNREACH = 113;
export const EINPROGRESS = 115;

/** A C string. */
export function cString(text: string): Bytes {
  return new TextEncoder().encode(`${text}\0`) as Bytes;
}

/** A C `int` in memory. */
export function intBytes(value: number): Bytes {
  const bytes = new Uint8Array(4);
  view(bytes).setInt32(0, value, true);
  return bytes;
}

/** The `int` at `at`. */
export function readInt(bytes: Bytes, at = 0): number {
  return view(bytes).getInt32(at, true);
}

/** An array of `struct pollfd` for POLLIN on each descriptor. */
export function pollSet(...descriptors: number[]): Bytes {
  const bytes = new Uint8Array(8 * descriptors.length);
  for (const [i, fd] of descriptors.entries()) {
    view(bytes).setInt32(8 * i, fd, true);
    view(bytes).setInt16(8 * i + 4, POLLIN, true);
  }
  return bytes;
}

/** `revents` of the first descriptor. */
export function eventsOf(set: Bytes): number {
  return set[6]! | (set[7]! << 8);
}

/** Words of `struct epoll_event`, which is packed on x86-64 only. `data` is the descriptor and a number. */
export const EPOLL_EVENT = process.arch === "x64"
  ? { words: 3, descriptor: 1, number: 2 } as const
  : { words: 4, descriptor: 2, number: 3 } as const;

/** `struct epoll_event`. */
export function epollEvent(events: number, fd: number): Bytes {
  const words = new Int32Array(EPOLL_EVENT.words);
  words[0] = events;
  words[EPOLL_EVENT.descriptor] = fd;
  return new Uint8Array(words.buffer);
}

/** `struct timespec`; `nanoseconds` is less than a second. */
export function timespec(nanoseconds: number): Bytes {
  const bytes = new Uint8Array(16);
  view(bytes).setUint32(8, nanoseconds, true);
  return bytes;
}

/** An array of `count` `struct iovec`. */
export class IoVectors {
  /** The array for `writev`. */
  readonly bytes: Bytes;
  readonly #words: Uint32Array<ArrayBuffer>;

  constructor(count: number) {
    this.#words = new Uint32Array(4 * count);
    this.bytes = new Uint8Array(this.#words.buffer);
  }

  /** Sets vector `index`: `length` bytes at `address`, which is below 2^53. */
  set(index: number, address: number, length: number): void {
    const words = this.#words;
    words[4 * index] = address % 2 ** 32;
    words[4 * index + 1] = address / 2 ** 32;
    words[4 * index + 2] = length;
  }
}

/** An array of `struct mmsghdr` for `recvmmsg`, with a buffer for each message. */
export class MessageHeaders {
  /** The array. */
  readonly bytes: Bytes;
  readonly #view: DataView<ArrayBuffer>;
  readonly #vectors: IoVectors;

  /** `addressOf` returns where bytes are in memory; the caller keeps `buffers` reachable. */
  constructor(buffers: readonly Bytes[], addressOf: (bytes: Bytes) => number) {
    this.bytes = new Uint8Array(MMSGHDR_SIZE * buffers.length);
    this.#view = view(this.bytes);
    this.#vectors = new IoVectors(buffers.length);
    const vectorsAt = addressOf(this.#vectors.bytes);
    for (const [i, buffer] of buffers.entries()) {
      this.#vectors.set(i, addressOf(buffer), buffer.length);
      const at = MMSGHDR_SIZE * i;
      this.#view.setBigUint64(at + MSG_IOV, BigInt(vectorsAt + IOVEC_SIZE * i), true);
      this.#view.setUint32(at + MSG_IOVLEN, 1, true);
    }
  }

  /** Number of bytes received into buffer `index`. */
  lengthOf(index: number): number {
    return this.#view.getUint32(MMSGHDR_SIZE * index + MSG_LEN, true);
  }
}

/** `struct mmsghdr` (recvmmsg(2)): `struct msghdr` with 56 bytes, and a length. */
const MMSGHDR_SIZE = 64;
const MSG_IOV = 16;
const MSG_IOVLEN = 24;
const MSG_LEN = 56;
const IOVEC_SIZE = 16;

function view(bytes: Bytes): DataView<ArrayBuffer> {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
