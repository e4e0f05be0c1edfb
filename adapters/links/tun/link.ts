import { setImmediate } from "node:timers";
import {
  type Link,
  type LinkFeatures,
  OutgoingPacket,
  type PacketBatch,
} from "../../../core/stack/link.ts";
import type { EventSet } from "../../host/native/event_set.ts";
import { nativeSockets } from "../../host/native/sockets.ts";
import { addDevice } from "../../host/stack_routes.ts";
import type { Libc, LibcHost, Poller } from "../../runtime/libc/host.ts";
import { type Device, indexOf } from "./device.ts";
import { configureError, goneError, isDeviceGone } from "./error.ts";
import * as linux from "./linux.ts";
import { isRoutedTo } from "./netlink.ts";
import { ReceiveBuffers } from "./receive_buffers.ts";
import type { ReceivePacketSteering } from "./receive_packet_steering.ts";
import { checksumState, segmentSize, VIRTIO_HEADER_SIZE, writeVirtioHeader } from "./virtio.ts";

/** The total length field has 16 bits (RFC 791 3.1), and so does the kernel's GSO size. */
const MAX_SUPER_PACKET = 65_535;
/**
 * How long `ready()` blocks in the kernel before it waits through the event loop, whose wake-up
 * takes longer, in nanoseconds.
 */
const LINGER_NS = 50_000;
/** After blocking in vain, the next 1, 3, 7, ... waits do not block; this is the maximum. */
const MAX_LINGER_PAUSE = 63;
/** Number of polls before the thread blocks, some 0.3 µs each, while packets arrive quickly. */
const SPINS = 100;
/** Maximum size of a batch in bytes, so that it is still in the CPU cache when it is processed. */
const BATCH_BYTES = 256 * 1024;

/** A TUN device as a link, or a TAP device as a frame port. */
export class TunLink implements Link {
  readonly name: string;
  readonly features: LinkFeatures;
  /** The device; another process that has its descriptor can use it too. */
  readonly device: Device;
  readonly #host: LibcHost;
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #headerSize: number;
  readonly #frameHeader: number;
  readonly #waiter: DevicePoller;
  readonly #incoming: ReceiveBuffers;
  readonly #outgoing = new linux.IoVectors(3);
  #start: linux.Bytes = new Uint8Array(0);
  /** Cached addresses of the arrays that packets are sent from, such as a connection's ring. */
  readonly #addresses = new WeakMap<linux.Bytes, number>();
  /** The host's sockets; whichever is ready first, a socket or the device, ends the wait. */
  readonly #hostEvents: EventSet | undefined;
  /** Detaches the set of host sockets from this link, so that the set waits by itself again. */
  #detach: (() => void) | undefined;
  readonly #pollSet: linux.Bytes;
  readonly #atOnce = linux.timespec(0);
  readonly #soon = linux.timespec(LINGER_NS);
  #lingerPause = 0;
  #waitsUntilLinger = 0;
  readonly #steering: ReceivePacketSteering | undefined;
  #pending: Promise<boolean> | undefined;
  #isGone = false;
  /** Whether another process reads the device in place of this one. */
  #isPaused = false;
  #closing: Promise<void> | undefined;

  /**
   * Unregisters the device. While it is registered, plugins do not connect back into the stack through
   * the host.
   */
  readonly #forget: (() => void) | undefined;

  private constructor(
    host: LibcHost,
    device: Device,
    hostEvents: EventSet | undefined,
    steering: ReceivePacketSteering | undefined,
  ) {
    const { fd, name, mtu, offload, splitsDatagrams, frameHeader } = device;
    this.name = name;
    this.features = {
      mtu,
      maxSuperPacket: offload ? MAX_SUPER_PACKET : 0,
      ...(splitsDatagrams && { maxDatagramSuperPacket: MAX_SUPER_PACKET }),
      checksumOffload: offload,
    };
    this.device = device;
    this.#host = host;
    this.#libc = host.libc;
    const index = indexOf(host, name);
    if (index > 0) this.#forget = addDevice((address) => isRoutedTo(host, index, address));
    this.#fd = fd;
    this.#headerSize = offload ? VIRTIO_HEADER_SIZE : 0;
    this.#frameHeader = frameHeader;
    this.#waiter = waiterFor(host, fd, hostEvents);
    this.#incoming = new ReceiveBuffers(this.#headerSize, frameHeader);
    this.#hostEvents = hostEvents;
    this.#pollSet = hostEvents === undefined
      ? linux.pollSet(fd)
      : linux.pollSet(fd, hostEvents.descriptor);
    this.#steering = steering;
  }

  /** Takes over a host and a device: both are closed with the link, or if this throws. */
  static open(host: LibcHost, device: Device, steering?: ReceivePacketSteering): TunLink {
    try {
      return new TunLink(host, device, nativeSockets()?.events, steering);
    } catch (error) {
      host.libc.close(device.fd);
      throw error;
    }
  }

  /** The file that {@link ReceivePacketSteering} writes; `undefined` if it is not used. */
  get steeringFile(): string | undefined {
    return this.#steering?.file;
  }

  receive(batch: PacketBatch): number {
    if (this.#closing || this.#isGone) return 0;
    this.#hostEvents?.dispatch();
    if (this.#isPaused) return 0;
    const room = Math.min(batch.capacity, ReceiveBuffers.COUNT);
    let count = 0;
    let bytes = 0;
    while (count < room && bytes < BATCH_BYTES) {
      const { whole, header, packet } = this.#incoming.at(count);
      const length = this.#libc.read(this.#fd, whole, whole.length);
      if (length < 0) {
        const errno = this.#host.errno();
        if (errno === linux.EINTR) continue;
        this.#isGone = isDeviceGone(errno);
        break;
      }
      batch.packets[count] = packet;
      batch.sizes[count] = length - this.#headerSize;
      bytes += length;
      batch.checksums[count] = checksumState(header);
      batch.segmentSizes[count] = segmentSize(header);
      count++;
    }
    if (count > 0) this.#steering?.received(count, bytes, performance.now());
    return count;
  }

  /**
   * Waits for packets or for the host's sockets, after one turn of the event loop, so that the handlers of
   * received packets run first. Concurrent calls share one wait.
   */
  ready(): Promise<boolean> {
    this.#pending ??= this.#waitUntilReadable().finally(() => this.#pending = undefined);
    return this.#pending;
  }

  send(packet: OutgoingPacket): boolean {
    if (this.#closing || this.#isGone) return false;
    if (this.#headerSize > 0) writeVirtioHeader(packet, this.#frameHeader);
    for (;;) {
      const sent = this.#write(packet);
      if (sent >= 0) {
        this.#steering?.sent(sent);
        return true;
      }
      const errno = this.#host.errno();
      if (errno === linux.EINTR) continue;
      this.#isGone = isDeviceGone(errno);
      return false;
    }
  }

  /** Whether {@link pause} has an effect, so that the device can be shared with another process. */
  get canPause(): boolean {
    return this.#hostEvents !== undefined;
  }

  /**
   * Stops receiving packets until {@link resume}, so that another process receives them. Sending and the host's
   * sockets continue to work.
   */
  pause(): void {
    if (this.#isPaused || !this.canPause) return;
    this.#isPaused = true;
    this.#steering?.close();
    this.#waiter.pause();
    this.#pollSet.set(linux.pollSet(-1));
  }

  /** Receives packets again. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#pollSet.set(linux.pollSet(this.#fd));
    this.#waiter.resume();
  }

  close(): Promise<void> {
    this.#closing ??= this.#free();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Copying a small payload is faster than having the kernel gather it. */
  #write(packet: OutgoingPacket): number {
    const before = this.#headerSize + this.#frameHeader;
    if (packet.joinPayload()) {
      return this.#libc.write(this.#fd, this.#fromStart(packet), before + packet.byteLength);
    }
    const { header, headerLength, payload, payloadStart, payloadLength, wrappedLength } = packet;
    const start = this.#addressOf(header) + OutgoingPacket.HEADROOM - before;
    this.#outgoing.set(0, start, before + headerLength);
    const address = this.#addressOf(payload);
    this.#outgoing.set(1, address + payloadStart, payloadLength);
    this.#outgoing.set(2, address, wrappedLength);
    return this.#libc.writev(this.#fd, this.#outgoing.bytes, wrappedLength === 0 ? 2 : 3, payload);
  }

  /** The header buffer from the link's own header on; cached, since nearly all packets share it. */
  #fromStart({ header }: OutgoingPacket): linux.Bytes {
    if (this.#start.buffer !== header.buffer) {
      const before = this.#headerSize + this.#frameHeader;
      this.#start = header.subarray(OutgoingPacket.HEADROOM - before);
    }
    return this.#start;
  }

  #addressOf(bytes: linux.Bytes): number {
    let address = this.#addresses.get(bytes);
    if (address === undefined) {
      address = this.#host.addressOf(bytes);
      this.#addresses.set(bytes, address);
    }
    return address;
  }

  async #waitUntilReadable(): Promise<boolean> {
    this.#detach ??= this.#hostEvents?.attach();
    await eventLoopTurn();
    const began = performance.now();
    try {
      if (this.#closing) return false;
      if (this.#linger()) return true;
      do {
        await this.#waiter.wait();
        if (this.#closing) return false;
      } while (!this.#isReadable(this.#atOnce));
      return true;
    } finally {
      this.#steering?.waited(performance.now() - began);
    }
  }

  /**
   * Blocks for a short time. This is the fastest way to wait while packets arrive quickly, and is
   * skipped while they do not.
   */
  #linger(): boolean {
    if (this.#waitsUntilLinger > 0) {
      this.#waitsUntilLinger--;
      return this.#isReadable(this.#atOnce);
    }
    const isReadable = this.#spin() || this.#isReadable(this.#soon);
    this.#lingerPause = isReadable ? 0 : Math.min(2 * this.#lingerPause + 1, MAX_LINGER_PAUSE);
    this.#waitsUntilLinger = this.#lingerPause;
    return isReadable;
  }

  /** Polls without blocking, since waking a thread takes longer than a quick peer's answer. */
  #spin(): boolean {
    if (this.#lingerPause > 0) return false;
    for (let i = 0; i < SPINS; i++) if (this.#isReadable(this.#atOnce)) return true;
    return false;
  }

  /** Whether there are packets, or something to do for the host's sockets. Throws if the device was removed. */
  #isReadable(timeout: linux.Bytes): boolean {
    const hostEvents = this.#hostEvents;
    if (hostEvents?.hasMore) return true;
    const size = hostEvents === undefined ? 1 : 2;
    const count = this.#libc.ppoll(this.#pollSet, size, timeout, null);
    if (count <= 0 && !this.#isGone) return false;
    const { POLLERR, POLLHUP, POLLNVAL } = linux;
    const events = linux.eventsOf(this.#pollSet);
    if (this.#isGone || (events & (POLLERR | POLLHUP | POLLNVAL))) {
      this.#isGone = true;
      throw goneError(this.name);
    }
    return count > 0;
  }

  async #free(): Promise<void> {
    await this.#waiter.close();
    // A wait that has just ended still polls the descriptor once.
    await this.#pending?.catch(() => {});
    this.#detach?.();
    this.#steering?.close();
    this.#forget?.();
    this.#libc.close(this.#fd);
    this.#host.close();
  }
}

/** Waits for a device and for the host's sockets. */
interface DevicePoller extends Poller {
  /** Waits for the host's sockets only. */
  pause(): void;
  resume(): void;
}

/** Waits for the device and for `hostEvents`, which are put into one epoll set. */
function waiterFor(host: LibcHost, fd: number, hostEvents: EventSet | undefined): DevicePoller {
  if (hostEvents === undefined) {
    const waiter = host.waiter(fd);
    return {
      wait: () => waiter.wait(),
      close: () => waiter.close(),
      pause() {},
      resume() {},
    };
  }
  const { libc } = host;
  const both = libc.epoll_create1(linux.O_CLOEXEC);
  if (both < 0) throw configureError("make an epoll set", host.errno());
  for (const each of [fd, hostEvents.descriptor]) {
    libc.epoll_ctl(both, linux.EPOLL_CTL_ADD, each, linux.epollEvent(linux.POLLIN, each));
  }
  const waiter = host.waiter(both);
  return {
    wait: () => waiter.wait(),
    async close() {
      await waiter.close();
      libc.close(both);
    },
    pause: () => void libc.epoll_ctl(both, linux.EPOLL_CTL_DEL, fd, linux.epollEvent(0, fd)),
    resume: () =>
      void libc.epoll_ctl(both, linux.EPOLL_CTL_ADD, fd, linux.epollEvent(linux.POLLIN, fd)),
  };
}

function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
