import {
  configure,
  type Device,
  type DeviceOptions,
  enableInherited,
  withSocket,
} from "./device.ts";
import { TunError } from "./error.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";
import * as linux from "./linux.ts";

const DEFAULT_MTU = 1500;

/**
 * Takes over a device that another process has opened and configured, as an inherited descriptor.
 *
 * @throws {TunError} The descriptor is not a device of the wanted kind. It stays open.
 */
export function inheritDevice(host: LibcHost, fd: number, options: DeviceOptions): Device {
  const request = linux.ifreq("");
  if (host.libc.ioctl(fd, linux.TUNGETIFF, request) < 0) throw noDevice(fd, host.errno());
  const { frameHeader } = options;
  const [flags, name] = [linux.flagsOf(request), linux.nameOf(request)];
  requireFlags(fd, flags, frameHeader > 0 ? linux.IFF_TAP : linux.IFF_TUN);
  const offload = (flags & linux.IFF_VNET_HDR) !== 0;
  if (offload && !options.offload) {
    throw badOption(`descriptor ${fd} was created with IFF_VNET_HDR: leave offload on`);
  }
  for (const value of [linux.FIONBIO, linux.FIOCLEX]) {
    host.libc.ioctl(fd, value, linux.intBytes(1));
  }
  const enabled = enableInherited(host, fd, offload);
  if (enabled === undefined) {
    throw new TunError("SYSTEM", `descriptor ${fd}: cannot set the options of ${name}`, {
      errno: host.errno(),
    });
  }
  return { fd, name, mtu: options.mtu ?? mtuOf(host, name), offload, ...enabled, frameHeader };
}

/**
 * Uses the queues of a device that have been kept open since an earlier start, and configures it.
 *
 * @throws {TunError} A descriptor is not a device of the wanted kind, or the device cannot be configured. The
 * descriptors stay open.
 */
export function reuseQueues(
  host: LibcHost,
  options: DeviceOptions,
  descriptors: readonly number[],
): Device[] {
  const queues = descriptors.map((fd) => inheritDevice(host, fd, options));
  const mtu = configure(host, queues[0]!.name, options);
  return queues.map((queue) => ({ ...queue, mtu }));
}

function requireFlags(fd: number, flags: number, kind: number): void {
  const names: Record<number, string> = { [linux.IFF_TUN]: "IFF_TUN", [linux.IFF_TAP]: "IFF_TAP" };
  if ((flags & kind) === 0) {
    throw badOption(`descriptor ${fd} is another kind of device: create it with ${names[kind]}`);
  }
  if ((flags & linux.IFF_NO_PI) === 0) {
    throw badOption(
      `descriptor ${fd} has packet information in front of packets: create it with IFF_NO_PI`,
    );
  }
}

function mtuOf(host: LibcHost, name: string): number {
  const request = linux.ifreq(name);
  return withSocket(host, (socket) => {
    const exists = host.libc.ioctl(socket, linux.SIOCGIFMTU, request) >= 0;
    return exists ? linux.intOf(request) : DEFAULT_MTU;
  });
}

function noDevice(fd: number, errno: number): TunError {
  return new TunError(
    "BAD_OPTION",
    errno === linux.EBADF
      ? `descriptor ${fd} is not open: start this process with it, as in 3<>/dev/net/tun`
      : `descriptor ${fd} is not a TUN device: open /dev/net/tun and create one with TUNSETIFF`,
    { errno },
  );
}

function badOption(message: string): TunError {
  return new TunError("BAD_OPTION", message);
}
