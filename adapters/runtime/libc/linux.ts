/**
 * Constants and structures of the Linux kernel ABI, the same on x86-64 and arm64.
 *
 * @module
 */
/** Little-endian bytes of a C structure. */
export type Bytes = Uint8Array<ArrayBuffer>;

// open(2), eventfd(2), socket(2)
export const O_RDWR = 0o2;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_DGRAM = 2;

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
export const EBADFD = 77;

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

function view(bytes: Bytes): DataView<ArrayBuffer> {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
