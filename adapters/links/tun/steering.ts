import process from "node:process";
import { configureError } from "./error.ts";
import type { TunHost } from "./host.ts";
import * as linux from "./linux.ts";
import { steeringProgram } from "./steering_program.ts";

// linux/bpf.h
const BPF_PROG_LOAD = 5;
const BPF_PROG_TYPE_SOCKET_FILTER = 1;
const SYSCALL_NUMBERS: Partial<Record<string, number>> = { x64: 321, arm64: 280 };

/**
 * Has the kernel put every TCP segment into the queue that `shardOf()` names. False where it may not
 * be programmed: then each flow goes where an answer to it came from last, at first and after a
 * silence of three seconds by a hash of the kernel's own.
 *
 * @throws {TunError} The device does not take it.
 */
export function steer(host: TunHost, fd: number, count: number, seed: number): boolean {
  const program = load(host, steeringProgram(count, seed));
  try {
    // A persistent device may have one from before; -1 takes it away.
    if (host.libc.ioctl(fd, linux.TUNSETSTEERINGEBPF, linux.intBytes(program)) < 0) {
      if (program >= 0) throw configureError("steer the queues", host.errno());
    }
  } finally {
    // The device keeps the program.
    if (program >= 0) host.libc.close(program);
  }
  return program >= 0;
}

/** The program's descriptor, or -1: it needs CAP_BPF outside of user namespaces. */
function load(host: TunHost, program: linux.Bytes): number {
  const number = SYSCALL_NUMBERS[process.arch];
  if (number === undefined) return -1;
  const license = linux.cString("MIT");
  const kept: linux.Bytes = new Uint8Array(program.length + license.length);
  kept.set(program);
  kept.set(license, program.length);
  const place = host.addressOf(kept);
  const attributes: linux.Bytes = new Uint8Array(120);
  const view = new DataView(attributes.buffer);
  view.setUint32(0, BPF_PROG_TYPE_SOCKET_FILTER, true);
  view.setUint32(4, program.length / 8, true);
  view.setBigUint64(8, BigInt(place), true);
  view.setBigUint64(16, BigInt(place + program.length), true);
  return host.bpf(number, BPF_PROG_LOAD, attributes, kept);
}
