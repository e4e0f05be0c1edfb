import { configureError } from "./error.ts";
import { type Bytes, O_CLOEXEC, O_NONBLOCK } from "./linux.ts";

/** Functions of the C library, by their names. Each returns -1 when it failed. */
export interface Libc {
  open(path: Bytes, flags: number): number;
  socket(domain: number, type: number, protocol: number): number;
  ioctl(fd: number, request: number, argument: Bytes): number;
  read(fd: number, bytes: Bytes, size: number): number;
  write(fd: number, bytes: Bytes, size: number): number;
  /** `kept` is nothing to the C library: it keeps what the vectors point to reachable. */
  writev(fd: number, vectors: Bytes, count: number, kept: Bytes): number;
  ppoll(set: Bytes, count: number, timeout: Bytes, signals: null): number;
  eventfd(initial: number, flags: number): number;
  eventfd_write(fd: number, value: number): number;
  close(fd: number): number;
  /** The processor that this thread runs on. */
  sched_getcpu(): number;
}

/**
 * The parameters of {@link Libc}'s functions; all return `i32`. No 64-bit number is among those that
 * are called for each packet or wait: on Deno one makes a call three times slower, and the code around
 * it is compiled again and again. The sizes that `read`, `write` and `ppoll` take have 64 bits in C; who
 * sets 32 bits of a register clears the others on x86-64 and on arm64.
 */
export const LIBC_PARAMETERS = {
  open: ["buffer", "i32"],
  socket: ["i32", "i32", "i32"],
  ioctl: ["i32", "u32", "buffer"],
  read: ["i32", "buffer", "i32"],
  write: ["i32", "buffer", "i32"],
  writev: ["i32", "buffer", "i32", "buffer"],
  ppoll: ["buffer", "u32", "buffer", "buffer"],
  eventfd: ["u32", "i32"],
  eventfd_write: ["i32", "u64"],
  close: ["i32"],
  sched_getcpu: [],
} as const satisfies Record<keyof Libc, readonly ("i32" | "u32" | "u64" | "usize" | "buffer")[]>;

/** Names of the C library: glibc's, then musl's. */
export const LIBC_NAMES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/** What a runtime supplies: foreign functions, and waiting for a descriptor. */
export interface TunHost {
  readonly libc: Libc;
  /** Why the last function of `libc` failed; asked for right after it. */
  errno(): number;
  /** `ioctl` with a number in place of an address. */
  ioctlValue(fd: number, request: number, value: number): number;
  /**
   * The system call `bpf`, which has this number here. `kept` is nothing to the kernel, as in
   * `writev`.
   */
  bpf(number: number, command: number, attributes: Bytes, kept: Bytes): number;
  /** Where bytes lie; it does not change. Whoever stores it keeps `bytes` reachable. */
  addressOf(bytes: Bytes): number;
  /** Whether a file may be read or written without the user being asked. */
  mayUse(access: "read" | "write", path: string): boolean;
  /** Waits for a descriptor until closed. */
  waiter(fd: number): Poller;
  /** Frees the library. Nothing of this host may be used afterwards. */
  close(): void;
}

/** Waits for one descriptor without blocking the event loop. */
export interface Poller {
  /** Resolves when the descriptor may be readable, and when the waiter is closed. */
  wait(): Promise<void>;
  /** Ends a wait; resolves when the descriptor is not used any more. */
  close(): Promise<void>;
}

/** Loads the first library that there is. */
export function firstLibrary<T>(load: (name: string) => T): T {
  let first: unknown;
  for (const name of LIBC_NAMES) {
    try {
      return load(name);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

/** A descriptor through which a wait is ended or signalled. */
export function openEventfd({ libc, errno }: Pick<TunHost, "libc" | "errno">): number {
  const fd = libc.eventfd(0, O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw configureError("make an eventfd", errno());
  return fd;
}
