import process from "node:process";
import type { ShardSeed } from "../../../core/stack/sharding/shard.ts";
import { configureError } from "./error.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";
import * as linux from "./linux.ts";
import { steeringProgram } from "./steering_program.ts";

// linux/bpf.h
const BPF_PROG_LOAD = 5;
const BPF_PROG_TYPE_SOCKET_FILTER = 1;
const SYSCALL_NUMBERS: Partial<Record<string, number>> = { x64: 321, arm64: 280 };

/**
 * Makes the kernel deliver every packet to the queue that `shardOf()` gives. Returns false if this
 * process may not load the program. Then the kernel delivers each flow to the queue that last sent
 * a packet of it, and initially, or after three idle seconds, by a hash of its own.
 *
 * @throws {TunError} The device does not accept the program.
 */
export function steer(host: LibcHost, fd: number, count: number, seed: ShardSeed): boolean {
  const program = load(host, steeringProgram(count, seed));
  try {
    // A persistent device may still have a program; -1 removes it.
    if (host.libc.ioctl(fd, linux.TUNSETSTEERINGEBPF, linux.intBytes(program)) < 0) {
      if (program >= 0) throw configureError("steer the queues", host.errno());
    }
  } finally {
    // The device holds a reference to the program.
    if (program >= 0) host.libc.close(program);
  }
  return program >= 0;
}

/** Loads the program; returns its descriptor or -1. Needs CAP_BPF outside user namespaces. */
function load(host: LibcHost, program: linux.Bytes): number {
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
