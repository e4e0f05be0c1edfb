import { LIBC_NAMES } from "../foreign_library.ts";
import { type Bytes, O_CLOEXEC, O_NONBLOCK } from "./linux.ts";

/** Functions of the C library, by name. Each returns -1 on failure. */
export interface Libc {
  open(path: Bytes, flags: number): number;
  socket(domain: number, type: number, protocol: number): number;
  ioctl(fd: number, request: number, argument: Bytes): number;
  read(fd: number, bytes: Bytes, size: number): number;
  write(fd: number, bytes: Bytes, size: number): number;
  /** `kept` is not passed on: it keeps the memory that the vectors point to reachable. */
  writev(fd: number, vectors: Bytes, count: number, kept: Bytes): number;
  ppoll(set: Bytes, count: number, timeout: Bytes, signals: null): number;
  connect(fd: number, address: Bytes, size: number): number;
  bind(fd: number, address: Bytes, size: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Bytes | null, size: Bytes | null, flags: number): number;
  getsockname(fd: number, address: Bytes, size: Bytes): number;
  getsockopt(fd: number, level: number, name: number, value: Bytes, size: Bytes): number;
  setsockopt(fd: number, level: number, name: number, value: Bytes, size: number): number;
  send(fd: number, bytes: Bytes, size: number, flags: number): number;
  sendto(
    fd: number,
    bytes: Bytes,
    size: number,
    flags: number,
    address: Bytes,
    addressSize: number,
  ): number;
  recv(fd: number, bytes: Bytes, size: number, flags: number): number;
  recvfrom(
    fd: number,
    bytes: Bytes,
    length: number,
    flags: number,
    address: Bytes,
    size: Bytes,
  ): number;
  shutdown(fd: number, how: number): number;
  /** `pair` is an array of two `int`. */
  socketpair(domain: number, type: number, protocol: number, pair: Bytes): number;
  /** `message` is `struct msghdr`. */
  sendmsg(fd: number, message: Bytes, flags: number): number;
  recvmsg(fd: number, message: Bytes, flags: number): number;
  /** `messages` is an array of `struct mmsghdr`; returns how many were received. */
  recvmmsg(fd: number, messages: Bytes, count: number, flags: number, timeout: null): number;
  epoll_create1(flags: number): number;
  /** `event` is `struct epoll_event`. */
  epoll_ctl(set: number, operation: number, fd: number, event: Bytes): number;
  /** `events` is an array of `struct epoll_event`. */
  epoll_wait(set: number, events: Bytes, count: number, timeoutMs: number): number;
  eventfd(initial: number, flags: number): number;
  eventfd_write(fd: number, value: number): number;
  close(fd: number): number;
  /** Number of the processor that this thread runs on. */
  sched_getcpu(): number;
}

/**
 * Parameter types of {@link Libc}'s functions; all return `i32`. Functions called for each packet
 * or wait have no 64-bit parameters: on Deno such a parameter makes a call three times slower, and
 * the surrounding code is recompiled again and again. In C the sizes of `read`, `write`, `send`, `recv` and
 * `ppoll` have 64 bits; setting the lower 32 bits of a register clears the upper ones on x86-64 and arm64.
 */
export const LIBC_PARAMETERS = {
  open: ["buffer", "i32"],
  socket: ["i32", "i32", "i32"],
  ioctl: ["i32", "u32", "buffer"],
  read: ["i32", "buffer", "i32"],
  write: ["i32", "buffer", "i32"],
  writev: ["i32", "buffer", "i32", "buffer"],
  ppoll: ["buffer", "u32", "buffer", "buffer"],
  connect: ["i32", "buffer", "u32"],
  bind: ["i32", "buffer", "u32"],
  listen: ["i32", "i32"],
  accept4: ["i32", "buffer", "buffer", "i32"],
  getsockname: ["i32", "buffer", "buffer"],
  getsockopt: ["i32", "i32", "i32", "buffer", "buffer"],
  setsockopt: ["i32", "i32", "i32", "buffer", "u32"],
  send: ["i32", "buffer", "i32", "i32"],
  sendto: ["i32", "buffer", "i32", "i32", "buffer", "u32"],
  recv: ["i32", "buffer", "i32", "i32"],
  recvfrom: ["i32", "buffer", "i32", "i32", "buffer", "buffer"],
  shutdown: ["i32", "i32"],
  socketpair: ["i32", "i32", "i32", "buffer"],
  sendmsg: ["i32", "buffer", "i32"],
  recvmsg: ["i32", "buffer", "i32"],
  recvmmsg: ["i32", "buffer", "u32", "i32", "buffer"],
  epoll_create1: ["i32"],
  epoll_ctl: ["i32", "i32", "i32", "buffer"],
  epoll_wait: ["i32", "buffer", "i32", "i32"],
  eventfd: ["u32", "i32"],
  eventfd_write: ["i32", "u64"],
  close: ["i32"],
  sched_getcpu: [],
} as const satisfies Record<keyof Libc, readonly ("i32" | "u32" | "u64" | "usize" | "buffer")[]>;

/** What a runtime provides: foreign functions, and waiting for a descriptor. */
export interface LibcHost {
  readonly libc: Libc;
  /** The error number of the last function of `libc`; to be read directly after it. */
  errno(): number;
  /** `ioctl` with a number instead of a pointer. */
  ioctlValue(fd: number, request: number, value: number): number;
  /** The system call `bpf`, with its system call number. `kept` as in `writev`. */
  bpf(number: number, command: number, attributes: Bytes, kept: Bytes): number;
  /** The address of `bytes`, which does not change. The caller keeps `bytes` reachable. */
  addressOf(bytes: Bytes): number;
  /** Whether a file may be read or written without a permission prompt. */
  mayUse(access: "read" | "write", path: string): boolean;
  /** Creates a poller for a descriptor. */
  waiter(fd: number): Poller;
  /** Unloads the library; the host must not be used afterwards. */
  close(): void;
}

/** Waits for one descriptor without blocking the event loop. */
export interface Poller {
  /** Resolves when the descriptor may be readable, or when the poller is closed. */
  wait(): Promise<void>;
  /** Ends a wait; resolves when the descriptor is no longer in use. */
  close(): Promise<void>;
}

/** Loads the first library that exists. */
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

/** Creates an eventfd, which ends or signals a wait. */
export function openEventfd({ libc, errno }: Pick<LibcHost, "libc" | "errno">): number {
  const fd = libc.eventfd(0, O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw new Error(`cannot create an eventfd: Linux error ${errno()}`);
  return fd;
}
