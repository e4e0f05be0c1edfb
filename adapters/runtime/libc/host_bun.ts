import { createRequire } from "node:module";
import process from "node:process";
import { type AioLibc, AioWaiter } from "./aio_waiter.ts";
import { firstLibrary, type Libc, LIBC_PARAMETERS, type LibcHost, type Poller } from "./host.ts";
import type { Bytes } from "./linux.ts";
import { PollingWaiter } from "./polling_waiter.ts";

interface Signature {
  args: readonly string[];
  returns: string;
}

interface Library {
  symbols: Libc & AioLibc & { __errno_location(): number };
  close(): void;
}

interface BunFfi {
  dlopen(name: string, signatures: Record<string, Signature>): Library;
  ptr(bytes: Bytes): number;
  toArrayBuffer(pointer: number, offset: number, length: number): ArrayBuffer;
}

declare const Bun: { file(fd: number): { stream(): ReadableStream<Uint8Array> } };

/**
 * Bun's foreign functions. They cannot run in another thread, and Bun can wait for a descriptor
 * only by reading from it, so the kernel signals an eventfd, from which Bun can read.
 */
export function bunHost(): LibcHost {
  // Not a static import, since Deno's module graph does not know `bun:`.
  const ffi: BunFfi = createRequire(import.meta.url)("bun:ffi");
  const library = firstLibrary((name) => ffi.dlopen(name, signatures()));
  const libc = library.symbols;
  // A view of the variable itself, since a call to read it could change it.
  const errno = new Int32Array(ffi.toArrayBuffer(libc.__errno_location(), 0, 4));
  const host: LibcHost = {
    libc,
    errno: () => errno[0]!,
    // Bun accepts a number as a pointer.
    ioctlValue: (fd, request, value) => libc.ioctl(fd, request, value as unknown as Bytes),
    // Of the parameters after the number, only the fourth is declared as a pointer.
    bpf(number, command, attributes, kept) {
      return libc.syscall(
        number,
        command,
        host.addressOf(attributes),
        attributes.length,
        kept,
        null,
      );
    },
    addressOf(bytes) {
      // The engine keeps a small array inside its object until `buffer` is read, which moves it.
      void bytes.buffer;
      return ffi.ptr(bytes);
    },
    mayUse: () => true,
    waiter: (fd) => aioWaiter(host, libc, fd) ?? new PollingWaiter(libc, fd),
    close: () => library.close(),
  };
  return host;
}

function aioWaiter(host: LibcHost, libc: Libc & AioLibc, fd: number): Poller | undefined {
  return AioWaiter.open(host, libc, process.arch, fd, (eventfd) => {
    const reader = Bun.file(eventfd).stream().getReader();
    return { read: () => reader.read(), cancel: () => reader.cancel() };
  });
}

function signatures(): Record<string, Signature> {
  const all: Record<string, Signature> = {
    __errno_location: { args: [], returns: "ptr" },
    syscall: { args: ["i64", "i64", "i64", "ptr", "ptr", "ptr"], returns: "i32" },
  };
  for (const [name, parameters] of Object.entries(LIBC_PARAMETERS)) {
    const args = parameters.map((type) => type === "buffer" ? "ptr" : type);
    all[name] = { args, returns: "i32" };
  }
  return all;
}
