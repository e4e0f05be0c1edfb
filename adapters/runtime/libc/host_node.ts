import { isMainThread } from "node:worker_threads";
import { type NodeFfi, nodeFfi, type NodeSignature } from "../node_ffi.ts";
import { firstLibrary, type Libc, LIBC_PARAMETERS, type LibcHost } from "./host.ts";
import type { Bytes } from "./linux.ts";
import { PollingWaiter } from "./polling_waiter.ts";
import { UvWaiter } from "./uv_waiter.ts";

interface Functions extends Omit<Libc, "eventfd_write"> {
  eventfd_write(fd: number, value: bigint): number;
  __errno_location(): bigint;
  syscall(
    number: bigint,
    command: bigint,
    attributes: Bytes,
    size: bigint,
    kept: Bytes,
  ): number;
}

/**
 * Foreign functions of Node.js. Calling a foreign function blocks the thread, so the event loop of Node.js waits for
 * descriptors; its library, libuv, can be called.
 *
 * @throws {Error} This Node.js has no foreign functions, or does not allow them.
 */
export function nodeHost(): LibcHost {
  const ffi = nodeFfi();
  if (ffi === undefined) throw new NoForeignFunctionsError();
  const library = firstLibrary((name) => ffi.dlopen<Functions>(name, signatures()));
  const { functions } = library;
  const errno = errnoOf(ffi, functions);
  const libc: Libc = {
    ...functions,
    eventfd_write: (fd, value) => functions.eventfd_write(fd, BigInt(value)),
  };
  return {
    libc,
    errno: () => errno[0]!,
    // Node.js takes a bigint as a pointer.
    ioctlValue: (fd, request, value) => libc.ioctl(fd, request, BigInt(value) as unknown as Bytes),
    bpf: (number, command, attributes, kept) =>
      functions.syscall(
        BigInt(number),
        BigInt(command),
        attributes,
        BigInt(attributes.length),
        kept,
      ),
    addressOf(bytes) {
      // The engine keeps a small array inside its object until `buffer` is read, which moves it.
      void bytes.buffer;
      return Number(ffi.getRawPointer(bytes));
    },
    mayUse: () => true,
    // A worker that is terminated aborts the process if its event loop still waits for a descriptor.
    waiter: (fd) => isMainThread ? UvWaiter.open(ffi, fd) : new PollingWaiter(libc, fd),
    close: () => library.lib.close(),
  };
}

/** Thrown if `node:ffi` is missing. */
export class NoForeignFunctionsError extends Error {
  override readonly name = "NoForeignFunctionsError";

  constructor() {
    super("this Node.js has no node:ffi: use Node.js 26.6 or later without --no-experimental-ffi");
  }
}

/** A view of the variable itself, since a call to read it could change it. */
function errnoOf(ffi: NodeFfi, { __errno_location }: Functions): Int32Array {
  return new Int32Array(ffi.toArrayBuffer(__errno_location(), 4, false));
}

function signatures(): Record<keyof Functions, NodeSignature> {
  const all: Record<string, NodeSignature> = {
    __errno_location: { arguments: [], return: "pointer" },
    syscall: { arguments: ["i64", "i64", "buffer", "i64", "buffer"], return: "i32" },
  };
  for (const [name, parameters] of Object.entries(LIBC_PARAMETERS)) {
    all[name] = { arguments: parameters, return: "i32" };
  }
  return all as Record<keyof Functions, NodeSignature>;
}
