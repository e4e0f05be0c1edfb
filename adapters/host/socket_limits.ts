/**
 * Limits of the sockets that clients make this process open on the host. All plugins share them.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { HostLimits } from "../../plugins/shared/host_network.ts";
import { SharedLimit } from "../../plugins/shared/shared_limit.ts";

/**
 * Maximum number of UDP sockets. Each takes 10 KB on Bun, and up to 200 KB on Deno, whose receive buffer has 64 KiB.
 */
export const MAX_DATAGRAM_SOCKETS = 4096;
/**
 * Share of the process's file descriptors that sockets may use: a connection through the runtime's TLS takes two
 * descriptors, and files and listeners need the rest.
 */
const DESCRIPTOR_SHARE = 3 / 8;

/** Maximum number of sockets of each of `threads` threads in a process that may open `descriptors` files. */
function maxSockets(descriptors: number, threads: number): number {
  return Math.max(1, Math.floor(descriptors * DESCRIPTOR_SHARE / threads));
}

/**
 * The process's limit of file descriptors (RLIMIT_NOFILE); infinite if it is not known, because this is not
 * Linux or /proc may not be read.
 */
function descriptorLimit(): number {
  try {
    const [, limit] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ??
      [];
    return limit === undefined ? Infinity : Number(limit);
  } catch {
    return Infinity;
  }
}

let threads = 1;
let limits: SocketLimits | undefined;

/** The limits of this thread. */
export function socketLimits(): SocketLimits {
  return limits ??= new SocketLimits(threads);
}

/** Divides the limits among `count` threads; to be called before the first connection. */
export function divideSockets(count: number): void {
  threads = count;
  limits = undefined;
}

/** See {@link socketLimits}. */
export class SocketLimits implements HostLimits {
  /** All sockets of the thread. */
  readonly all: SharedLimit;
  readonly connections: readonly SharedLimit[];
  readonly datagrams: readonly SharedLimit[];

  constructor(threads: number, descriptors: number = descriptorLimit()) {
    this.all = new SharedLimit(maxSockets(descriptors, threads));
    this.connections = [this.all];
    this.datagrams = [new SharedLimit(Math.ceil(MAX_DATAGRAM_SOCKETS / threads)), this.all];
  }
}
