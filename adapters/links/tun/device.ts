import type { Subnet } from "../../../core/wire/address.ts";
import { attachError, configureError, openError, takenError } from "./error.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";
import * as linux from "./linux.ts";
import { addAddress, hasAddress, setQueueLength } from "./netlink.ts";
import { VIRTIO_HEADER_SIZE } from "./virtio.ts";

/** Settings of a device. `undefined` leaves a setting unchanged. */
export interface DeviceOptions {
  readonly name: string;
  readonly addresses: readonly Subnet[];
  readonly mtu: number | undefined;
  readonly queueLength: number | undefined;
  readonly offload: boolean;
  /** Number of bytes before each IP packet: 0, or the Ethernet header on a TAP device. */
  readonly frameHeader: number;
}

/** A device that is attached and up. */
export interface Device {
  readonly fd: number;
  /** The name assigned by the kernel. */
  readonly name: string;
  readonly mtu: number;
  /**
   * Whether packets have a virtio header, with super-packets and partial checksums in both
   * directions.
   */
  readonly offload: boolean;
  /** Whether the kernel also splits super-packets of UDP datagrams; Linux 6.2 and later. */
  readonly splitsDatagrams: boolean;
  /** As in {@link DeviceOptions}. */
  readonly frameHeader: number;
}

/** The kernel's default of 500 packets overflows within one turn of the event loop. */
const QUEUE_LENGTH = 5000;

/**
 * Creates a device, or attaches to an existing one, and configures it.
 *
 * @throws {TunError} The device cannot be created, attached or configured. Nothing is left behind.
 */
export function openDevice(host: LibcHost, options: DeviceOptions): Device {
  return openQueues(host, options, 1)[0]!;
}

/**
 * {@link openDevice} with several queues, each of which can be used like a device. The kernel
 * numbers them in this order.
 *
 * @throws {TunError} The device cannot be created, attached or configured. Nothing is left behind.
 */
export function openQueues(host: LibcHost, options: DeviceOptions, count: number): Device[] {
  const before = flagsOf(host, options.name);
  if (count > 1 && (before ?? 0) & linux.IFF_RUNNING) throw takenError(options.name);
  const first = attach(host, options, count > 1 ? linux.IFF_MULTI_QUEUE : 0);
  const queues = [first];
  try {
    while (queues.length < count) {
      const flags = kindOf(options) | linux.IFF_MULTI_QUEUE |
        (first.offload ? linux.IFF_VNET_HDR : 0);
      queues.push({ ...first, ...attachWith(host, first.name, flags) });
    }
    const isNew = before === undefined;
    const queueLength = options.queueLength ?? (isNew ? QUEUE_LENGTH : undefined);
    const mtu = configure(host, first.name, { ...options, queueLength });
    return queues.map((queue) => ({ ...queue, mtu }));
  } catch (error) {
    for (const { fd } of queues) host.libc.close(fd);
    throw error;
  }
}

/** The flags of an existing device. */
function flagsOf(host: LibcHost, name: string): number | undefined {
  const request = linux.ifreq(name);
  return withSocket(
    host,
    (socket) =>
      host.libc.ioctl(socket, linux.SIOCGIFFLAGS, request) < 0 ? undefined : linux.flagsOf(request),
  );
}

/** The interface index, or 0 if there is no such device. */
export function indexOf(host: LibcHost, name: string): number {
  const request = linux.ifreq(name);
  return withSocket(
    host,
    (socket) => host.libc.ioctl(socket, linux.SIOCGIFINDEX, request) < 0 ? 0 : linux.intOf(request),
  );
}

/** Whether the device stays when its descriptor is closed, as made by `ip tuntap add`. */
export function isPersistent({ libc }: LibcHost, fd: number): boolean {
  const request = linux.ifreq("");
  return libc.ioctl(fd, linux.TUNGETIFF, request) < 0 ||
    (linux.flagsOf(request) & linux.IFF_PERSIST) !== 0;
}

type Attached = Omit<Device, "mtu">;

function attach(host: LibcHost, options: DeviceOptions, more: number): Attached {
  const { name, offload, frameHeader } = options;
  const flags = kindOf(options) | more;
  if (offload) {
    const attached = attachWith(host, name, flags | linux.IFF_VNET_HDR);
    const enabled = enableOffload(host, attached.fd);
    if (enabled !== undefined) return { ...attached, offload, ...enabled, frameHeader };
    host.libc.close(attached.fd);
  }
  const attached = attachWith(host, name, flags);
  // A persistent device keeps earlier settings.
  host.ioctlValue(attached.fd, linux.TUNSETOFFLOAD, 0);
  return { ...attached, offload: false, splitsDatagrams: false, frameHeader };
}

function kindOf({ frameHeader }: DeviceOptions): number {
  return frameHeader > 0 ? linux.IFF_TAP : linux.IFF_TUN;
}

function attachWith(
  { libc, errno }: LibcHost,
  name: string,
  flags: number,
): { fd: number; name: string } {
  const { O_RDWR, O_NONBLOCK, O_CLOEXEC, IFF_NO_PI } = linux;
  const fd = libc.open(linux.cString("/dev/net/tun"), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw openError(errno());
  const request = linux.ifreqFlags(name, IFF_NO_PI | flags);
  if (libc.ioctl(fd, linux.TUNSETIFF, request) >= 0) return { fd, name: linux.nameOf(request) };
  const error = attachError(name, errno());
  libc.close(fd);
  throw error;
}

const TSO = linux.TUN_F_CSUM | linux.TUN_F_TSO4 | linux.TUN_F_TSO6;
/** Offloads that the kernel may use, in order of preference; old kernels reject unknown ones. */
const OFFLOADS = [
  TSO | linux.TUN_F_TSO_ECN | linux.TUN_F_USO4 | linux.TUN_F_USO6,
  TSO | linux.TUN_F_TSO_ECN,
  TSO,
  linux.TUN_F_CSUM,
];

/** {@link attach} for a device opened by another process, with or without a virtio header. */
export function enableInherited(
  host: LibcHost,
  fd: number,
  hasHeader: boolean,
): EnabledOffload | undefined {
  if (hasHeader) return enableOffload(host, fd);
  const isDone = host.ioctlValue(fd, linux.TUNSETOFFLOAD, 0) >= 0;
  return isDone ? { splitsDatagrams: false } : undefined;
}

type EnabledOffload = Pick<Device, "splitsDatagrams">;

/** Enables the virtio header and offload; `undefined` if the kernel does not support the header's size. */
function enableOffload({ libc, ioctlValue }: LibcHost, fd: number): EnabledOffload | undefined {
  const size = linux.intBytes(VIRTIO_HEADER_SIZE);
  if (libc.ioctl(fd, linux.TUNSETVNETHDRSZ, size) < 0) return undefined;
  const enabled = OFFLOADS.find((flags) => ioctlValue(fd, linux.TUNSETOFFLOAD, flags) >= 0);
  // USO works in both directions: a kernel that may send super-packets of datagrams also accepts them.
  return enabled === undefined
    ? undefined
    : { splitsDatagrams: (enabled & linux.TUN_F_USO4) !== 0 };
}

/**
 * Applies the settings that differ from the current ones and brings the device up; returns its MTU.
 * If the device is configured already, no privilege is needed beyond attaching to it.
 */
export function configure(host: LibcHost, name: string, options: DeviceOptions): number {
  return withSocket(host, (socket) => {
    const call = (what: string, request: number, argument: linux.Bytes) => {
      if (host.libc.ioctl(socket, request, argument) < 0) {
        throw configureError(`${what} of ${name}`, host.errno());
      }
      return argument;
    };
    const read = (what: string, request: number) =>
      linux.intOf(call(`read the ${what}`, request, linux.ifreq(name)));
    const { mtu, queueLength, addresses } = options;
    if (mtu !== undefined && mtu !== read("MTU", linux.SIOCGIFMTU)) {
      call(`set the MTU ${mtu}`, linux.SIOCSIFMTU, linux.ifreqInt(name, mtu));
    }
    const flags = linux.flagsOf(call("read the flags", linux.SIOCGIFFLAGS, linux.ifreq(name)));
    if ((flags & linux.IFF_UP) === 0) {
      call("set the flags", linux.SIOCSIFFLAGS, linux.ifreqFlags(name, flags | linux.IFF_UP));
    }
    const index = read("index", linux.SIOCGIFINDEX);
    if (queueLength !== undefined && queueLength !== read("queue length", linux.SIOCGIFTXQLEN)) {
      setQueueLength(host, name, index, queueLength);
    }
    const missing = addresses.filter((subnet) => !hasAddress(host, index, subnet));
    for (const subnet of missing) addAddress(host, name, index, subnet);
    return read("MTU", linux.SIOCGIFMTU);
  });
}

/** Calls `use` with a socket, through which interfaces are configured. */
export function withSocket<T>({ libc, errno }: LibcHost, use: (socket: number) => T): T {
  const socket = libc.socket(linux.AF_INET, linux.SOCK_DGRAM | linux.O_CLOEXEC, 0);
  if (socket < 0) throw configureError("create a socket to configure the device", errno());
  try {
    return use(socket);
  } finally {
    libc.close(socket);
  }
}
