/**
 * Receive Packet Steering (RPS): the processors on which the kernel processes the packets that this
 * program writes to a device.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { allowedProcessors, formatMask } from "./processors.ts";

/** Information about the machine. */
export interface SystemInfo {
  /** Number of the processor that this thread runs on. */
  currentProcessor(): number;
  /** Whether a file may be read or written without a permission prompt. */
  mayUse(access: "read" | "write", path: string): boolean;
  /** `/sys/class/net` */
  readonly devices: string;
  /** `/proc/self/status` */
  readonly status: string;
}

/** Interval over which the load is measured, in milliseconds. */
const WINDOW_MS = 100;
/** RPS is turned on only above this number of packets per read: the thread is then the bottleneck. */
const MANY = 4;
/** The same limit while RPS is on. */
const MIN_PACKETS = 2;
/** Above this share of idle time, the thread has time for the kernel's work as well. */
const IDLE = 0.5;
/**
 * Maximum number of packets written without a read in between: the queue of another processor holds
 * 1000 (net.core.netdev_max_backlog) and drops more.
 */
const MAX_CONSECUTIVE = 512;
/** Time from turning RPS off until it may be turned on again, in milliseconds. */
const PAUSE_MS = 1000;

/**
 * Turns RPS on and off by load. By default the kernel processes a written packet within the system
 * call, up to waking the reader, in this thread. While the thread is busy and sends data, RPS moves
 * that work to other processors. While it mostly waits or only acknowledges, the work stays here,
 * which saves interrupts between processors.
 */
export class ReceivePacketSteering {
  /** The device's mask of processors in `/sys`. */
  readonly file: string;
  readonly #before: string;
  readonly #processors: readonly number[];
  readonly #machine: SystemInfo;
  /** This thread's processor, which RPS excludes; -1 while RPS is off. */
  #leftOut = -1;
  #windowBegan = 0;
  #notBefore = -Infinity;
  #lastReadAt = 0;
  /** Packets written since the last read. */
  #consecutive = 0;
  #waited = 0;
  #reads = 0;
  #packets = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  private constructor(
    file: string,
    before: string,
    processors: readonly number[],
    machine: SystemInfo,
  ) {
    this.file = file;
    this.#before = before;
    this.#processors = processors;
    this.#machine = machine;
  }

  /**
   * Creates the control for a device's only queue; `undefined` if there is only one processor, RPS
   * is configured already, or this process may not configure it. `index` is the interface index,
   * which tells the device from one of the same name in another network namespace.
   */
  static open(name: string, index: number, machine: SystemInfo): ReceivePacketSteering | undefined {
    const folder = `${machine.devices}/${name}`;
    const file = `${folder}/queues/rx-0/rps_cpus`;
    const isAllowed = machine.mayUse("read", machine.status) && machine.mayUse("read", folder) &&
      machine.mayUse("write", file);
    if (!isAllowed) return undefined;
    try {
      const processors = allowedProcessors(readFileSync(machine.status, "utf8"));
      const isDevice = Number(readFileSync(`${folder}/ifindex`, "utf8")) === index;
      const before = readFileSync(file, "utf8").trim();
      if (processors.length < 2 || !isDevice || !/^[0,]+$/.test(before)) return undefined;
      writeFileSync(file, before);
      return new ReceivePacketSteering(file, before, processors, machine);
    } catch {
      return undefined;
    }
  }

  /** Whether RPS is on. */
  get isOn(): boolean {
    return this.#leftOut >= 0;
  }

  /** Records that the thread has waited for packets for `ms` milliseconds. */
  waited(ms: number): void {
    this.#waited += ms;
  }

  /** Records a written packet. */
  sent(bytes: number): void {
    this.#bytesOut += bytes;
    if (++this.#consecutive > MAX_CONSECUTIVE && this.isOn) this.#disable(this.#lastReadAt);
  }

  /** Records a read of `packets` packets with `bytes` bytes in all; `now` in milliseconds. */
  received(packets: number, bytes: number, now: number): void {
    this.#lastReadAt = now;
    this.#consecutive = 0;
    this.#reads++;
    this.#packets += packets;
    this.#bytesIn += bytes;
    const elapsed = now - this.#windowBegan;
    if (elapsed < WINDOW_MS) return;
    // After a long silence the measurement is meaningless.
    if (elapsed < 10 * WINDOW_MS) this.#judge(this.#waited / elapsed, now);
    this.#windowBegan = now;
    this.#waited = this.#reads = this.#packets = 0;
    this.#bytesIn = this.#bytesOut = 0;
  }

  #judge(idle: number, now: number): void {
    const packets = this.#packets / this.#reads;
    const helps = idle < IDLE && this.#bytesOut * 2 > this.#bytesIn;
    if (this.isOn) {
      if (helps && packets >= MIN_PACKETS) return this.#leaveOut(this.#machine.currentProcessor());
      this.#disable(now);
    } else if (helps && packets >= MANY && now >= this.#notBefore) {
      this.#leaveOut(this.#machine.currentProcessor());
    }
  }

  #disable(now: number): void {
    this.#leaveOut(-1);
    this.#notBefore = now + PAUSE_MS;
  }

  #leaveOut(leftOut: number): void {
    if (leftOut === this.#leftOut) return;
    this.#leftOut = leftOut;
    const mask = leftOut < 0
      ? this.#before
      : formatMask(this.#processors.filter((processor) => processor !== leftOut));
    try {
      writeFileSync(this.file, mask);
    } catch {
      // The device was removed, which the next read reports.
    }
  }

  /** Restores the device's setting. */
  close(): void {
    this.#leaveOut(-1);
  }
}
