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

// linux/if_tun.h
export const TUNSETIFF = 0x400454ca;
export const TUNSETOFFLOAD = 0x400454d0;
export const TUNGETIFF = 0x800454d2;
export const TUNSETVNETHDRSZ = 0x400454d8;
export const TUNSETSTEERINGEBPF = 0x800454e0;
export const IFF_TUN = 0x0001;
export const IFF_TAP = 0x0002;
export const IFF_MULTI_QUEUE = 0x0100;
export const IFF_PERSIST = 0x0800;
export const IFF_NO_PI = 0x1000;
export const IFF_VNET_HDR = 0x4000;
export const TUN_F_CSUM = 0x01;
export const TUN_F_TSO4 = 0x02;
export const TUN_F_TSO6 = 0x04;
export const TUN_F_TSO_ECN = 0x08;
export const TUN_F_USO4 = 0x20;
export const TUN_F_USO6 = 0x40;

// asm-generic/ioctls.h
export const FIONBIO = 0x5421;
export const FIOCLEX = 0x5451;

// linux/sockios.h, linux/if.h
export const SIOCGIFFLAGS = 0x8913;
export const SIOCSIFFLAGS = 0x8914;
export const SIOCGIFMTU = 0x8921;
export const SIOCSIFMTU = 0x8922;
export const SIOCGIFINDEX = 0x8933;
export const SIOCGIFTXQLEN = 0x8942;
export const IFF_UP = 0x1;
export const IFF_RUNNING = 0x40;
/** Size of an interface name with the final zero. */
export const IFNAMSIZ = 16;

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

const IFREQ_SIZE = 40;

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

/** `struct ifreq` with only a name. */
export function ifreq(name: string): Bytes {
  const bytes = new Uint8Array(IFREQ_SIZE);
  bytes.set(new TextEncoder().encode(name).subarray(0, IFNAMSIZ - 1));
  return bytes;
}

/** `struct ifreq` with `ifr_flags`. */
export function ifreqFlags(name: string, flags: number): Bytes {
  const bytes = ifreq(name);
  view(bytes).setUint16(IFNAMSIZ, flags, true);
  return bytes;
}

/** `struct ifreq` with `ifr_mtu`. */
export function ifreqInt(name: string, value: number): Bytes {
  const bytes = ifreq(name);
  view(bytes).setInt32(IFNAMSIZ, value, true);
  return bytes;
}

/** `ifr_name`. */
export function nameOf(request: Bytes): string {
  const end = request.indexOf(0);
  return new TextDecoder().decode(request.subarray(0, Math.min(end, IFNAMSIZ)));
}

/** `ifr_flags`. */
export function flagsOf(request: Bytes): number {
  return view(request).getUint16(IFNAMSIZ, true);
}

/** `ifr_mtu`, `ifr_ifindex`. */
export function intOf(request: Bytes): number {
  return readInt(request, IFNAMSIZ);
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
