/**
 * Changes network interfaces without external programs.
 *
 * @module
 */
import type { LibcHost } from "../../adapters/runtime/libc/host.ts";
import { cString, ifreq, ifreqFlags, intOf } from "../../adapters/links/tun/linux.ts";
import * as linux from "../../adapters/links/tun/linux.ts";
import { exchange } from "../../adapters/links/tun/netlink.ts";
import { openHost } from "../../adapters/links/tun/open_host.ts";

const RTM_DELLINK = 17;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const TUNSETPERSIST = 0x400454cb;

/** Removes an interface, as `ip link delete` does (rtnetlink(7)). */
export function removeInterface(name: string): void {
  return withHost((host) => {
    const message = new Uint8Array(32);
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    view.setUint16(4, RTM_DELLINK, true);
    view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, true);
    view.setInt32(20, indexOf(host.libc, name), true);
    check(-exchange(host, message).errno);
  });
}

/** Sets an interface down or up. */
export function setUp(name: string, isUp: boolean): void {
  return withHost(({ libc }) => {
    const socket = libc.socket(linux.AF_INET, linux.SOCK_DGRAM | linux.O_CLOEXEC, 0);
    const flags = ifreqFlags(name, isUp ? linux.IFF_UP : 0);
    check(libc.ioctl(socket, linux.SIOCSIFFLAGS, flags));
    libc.close(socket);
  });
}

/** Creates a persistent TUN device and sets its MTU. */
export function makePersistentTun(name: string, mtu: number): void {
  return withHost(({ libc, ioctlValue }) => {
    const fd = check(libc.open(cString("/dev/net/tun"), linux.O_RDWR | linux.O_CLOEXEC));
    const flags = linux.IFF_TUN | linux.IFF_NO_PI;
    check(libc.ioctl(fd, linux.TUNSETIFF, ifreqFlags(name, flags)));
    check(ioctlValue(fd, TUNSETPERSIST, 1));
    const socket = libc.socket(linux.AF_INET, linux.SOCK_DGRAM | linux.O_CLOEXEC, 0);
    check(libc.ioctl(socket, linux.SIOCSIFMTU, linux.ifreqInt(name, mtu)));
    libc.close(socket);
    libc.close(fd);
  });
}

function indexOf(libc: LibcHost["libc"], name: string): number {
  const socket = libc.socket(linux.AF_INET, linux.SOCK_DGRAM | linux.O_CLOEXEC, 0);
  const request = ifreq(name);
  check(libc.ioctl(socket, linux.SIOCGIFINDEX, request));
  libc.close(socket);
  return intOf(request);
}

function withHost(use: (host: LibcHost) => void): void {
  const host = openHost();
  try {
    use(host);
  } finally {
    host.close();
  }
}

function check(result: number): number {
  if (result < 0) throw new Error("a system call failed");
  return result;
}
