import {
  firstLibrary,
  type Libc,
  LIBC_PARAMETERS,
  type LibcHost,
  openEventfd,
  type Poller,
} from "./host.ts";
import { type Bytes, pollSet } from "./linux.ts";

interface Signature {
  name?: string;
  parameters: readonly string[];
  result: string;
  nonblocking?: boolean;
}

interface Library {
  symbols: Libc & {
    __errno_location(): object;
    ioctlValue(fd: number, request: number, value: number): number;
    bpf(number: number, command: number, attributes: Bytes, size: number, kept: Bytes): number;
    wait(set: Bytes, count: number, timeoutMs: number): Promise<number>;
  };
  close(): void;
}

declare const Deno: {
  dlopen(name: string, signatures: Record<string, Signature>): Library;
  UnsafePointer: {
    of(bytes: Bytes): object | null;
    value(pointer: object | null): number | bigint;
  };
  permissions: { querySync(what: { name: string; path: string }): { state: string } };
  UnsafePointerView: { getArrayBuffer(pointer: object, length: number): ArrayBuffer };
};

/** Deno's foreign functions. `poll`, which waits, runs in another thread. */
export function denoHost(): LibcHost {
  const library = firstLibrary((name) => Deno.dlopen(name, signatures()));
  const libc = library.symbols;
  // A view of the variable itself, since a call to read it could change it.
  const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(libc.__errno_location(), 4));
  const host: LibcHost = {
    libc,
    errno: () => errno[0]!,
    ioctlValue: (fd, request, value) => libc.ioctlValue(fd, request, value),
    bpf: (number, command, attributes, kept) =>
      libc.bpf(number, command, attributes, attributes.length, kept),
    addressOf: (bytes) => Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes))),
    mayUse: (name, path) => Deno.permissions.querySync({ name, path }).state === "granted",
    waiter: (fd) => new ThreadWaiter(libc, fd, openEventfd(host)),
    close: () => library.close(),
  };
  return host;
}

function signatures(): Record<string, Signature> {
  const all: Record<string, Signature> = {
    __errno_location: { parameters: [], result: "pointer" },
    ioctlValue: { name: "ioctl", parameters: ["i32", "u32", "usize"], result: "i32" },
    bpf: {
      name: "syscall",
      parameters: ["isize", "isize", "buffer", "usize", "buffer"],
      result: "i32",
    },
    wait: {
      name: "poll",
      parameters: ["buffer", "usize", "i32"],
      result: "i32",
      nonblocking: true,
    },
  };
  for (const [name, parameters] of Object.entries(LIBC_PARAMETERS)) {
    all[name] = { parameters, result: "i32" };
  }
  return all;
}

/** `poll` in one of Deno's threads, on the descriptor and on an eventfd that ends the wait. */
class ThreadWaiter implements Poller {
  readonly #libc: Library["symbols"];
  readonly #end: number;
  readonly #set: Bytes;
  #pending: Promise<number> | undefined;
  #closed = false;

  constructor(libc: Library["symbols"], fd: number, end: number) {
    this.#libc = libc;
    this.#end = end;
    this.#set = pollSet(fd, end);
  }

  async wait(): Promise<void> {
    if (this.#closed) return;
    this.#pending = this.#libc.wait(this.#set, 2, -1);
    await this.#pending;
    this.#pending = undefined;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#libc.eventfd_write(this.#end, 1);
    await this.#pending;
    this.#libc.close(this.#end);
  }
}
