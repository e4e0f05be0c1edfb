/**
 * Receive Packet Steering (RPS) of the kernel: on which processors it deals with what this program
 * writes into a device.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { allowedProcessors, formatMask } from "./processors.ts";

/** What has to be known of the machine. */
export interface SystemInfo {
  /** The processor that this thread runs on. */
  currentProcessor(): number;
  /** Whether a file may be read or written without the user being asked. */
  mayUse(access: "read" | "write", path: string): boolean;
  /** `/sys/class/net` */
  readonly devices: string;
  /** `/proc/self/status` */
  readonly status: string;
}

/** How long a load is looked at before it is judged. */
const WINDOW_MS = 100;
/** So many packets are there each time that the thread comes to read: it is what limits the device. */
const MANY = 4;
/** The same of a thread that others help. */
const FEW = 2;
/** More waiting than this part of the time: the thread has time for the kernel's part as well. */
const IDLE = 0.5;
/**
 * More packets than this in a row, with nothing read between: the queue of another processor holds
 * 1000 (net.core.netdev_max_backlog), and what is too much is dropped.
 */
const MOST_IN_A_ROW = 512;
/** From giving it up until it is tried again. */
const PAUSE_MS = 1000;

/**
 * By default a packet that is written is received by the kernel within the write: protocol,
 * connection and waking whoever reads it are this thread's time. While the thread is busy and sends
 * data, others take that over; while it mostly waits, or only acknowledges, it does it itself, which
 * spares a message between processors, and leaves the sender's work where the sender is.
 */
export class ReceivePacketSteering {
  readonly #file: string;
  readonly #before: string;
  readonly #processors: readonly number[];
  readonly #machine: SystemInfo;
  /** The processor that is left out; -1: there is no steering. */
  #leftOut = -1;
  #windowBegan = 0;
  #notBefore = -Infinity;
  #lastReadAt = 0;
  /** Packets written since something was read. */
  #inARow = 0;
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
    this.#file = file;
    this.#before = before;
    this.#processors = processors;
    this.#machine = machine;
  }

  /**
   * Of a device's only queue; `undefined` where there is one processor only, where somebody has set
   * something already, and where the kernel does not let this process. `index` is the device's, which
   * a device of the same name in another network namespace does not have.
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

  /** Whether others deal with what is written. */
  get isOn(): boolean {
    return this.#leftOut >= 0;
  }

  /** `ms` were spent waiting for packets. */
  waited(ms: number): void {
    this.#waited += ms;
  }

  /** A packet of so many bytes was written. */
  sent(bytes: number): void {
    this.#bytesOut += bytes;
    if (++this.#inARow > MOST_IN_A_ROW && this.isOn) this.#giveUp(this.#lastReadAt);
  }

  /** So many packets were read at once, of so many bytes; `now` in milliseconds. */
  received(packets: number, bytes: number, now: number): void {
    this.#lastReadAt = now;
    this.#inARow = 0;
    this.#reads++;
    this.#packets += packets;
    this.#bytesIn += bytes;
    const elapsed = now - this.#windowBegan;
    if (elapsed < WINDOW_MS) return;
    // After a long silence the window says nothing.
    if (elapsed < 10 * WINDOW_MS) this.#judge(this.#waited / elapsed, now);
    this.#windowBegan = now;
    this.#waited = this.#reads = this.#packets = 0;
    this.#bytesIn = this.#bytesOut = 0;
  }

  #judge(idle: number, now: number): void {
    const packets = this.#packets / this.#reads;
    const helps = idle < IDLE && this.#bytesOut * 2 > this.#bytesIn;
    if (this.isOn) {
      if (helps && packets >= FEW) return this.#leaveOut(this.#machine.currentProcessor());
      this.#giveUp(now);
    } else if (helps && packets >= MANY && now >= this.#notBefore) {
      this.#leaveOut(this.#machine.currentProcessor());
    }
  }

  #giveUp(now: number): void {
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
      writeFileSync(this.#file, mask);
    } catch {
      // The device is gone: reading it will say so.
    }
  }

  /** Leaves the device as it was. */
  close(): void {
    this.#leaveOut(-1);
  }
}
