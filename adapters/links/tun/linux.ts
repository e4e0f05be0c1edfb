/**
 * Constants and structures of TUN devices and network interfaces, the same on x86-64 and arm64.
 *
 * @module
 */
import { type Bytes, readInt } from "../../runtime/libc/linux.ts";

export * from "../../runtime/libc/linux.ts";

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

const IFREQ_SIZE = 40;

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

function view(bytes: Bytes): DataView<ArrayBuffer> {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
