/**
 * The C library's socket functions that scripts need.
 *
 * @module
 */
import { firstLibrary } from "../../../adapters/runtime/libc/host.ts";
import { runtimeName } from "../../../adapters/runtime/runtime.ts";

/** Bytes of a C structure. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Each returns -1 on failure. */
export interface SocketLibrary {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Bytes, length: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Bytes, length: Bytes, flags: number): number;
  connect(fd: number, address: Bytes, length: number): number;
  recv(fd: number, bytes: Bytes, length: number, flags: number): number;
  send(fd: number, bytes: Bytes, length: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
  setsockopt(fd: number, level: number, name: number, value: Bytes, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: Bytes, length: Bytes): number;
  ioctl(fd: number, request: number, value: Bytes): number;
}

/** The library, and the error number of its last failure. */
export interface Libc {
  readonly calls: SocketLibrary;
  errno(): number;
}

type Parameter = "i32" | "buffer";

const PARAMETERS: Readonly<Record<keyof SocketLibrary, readonly Parameter[]>> = {
  socket: ["i32", "i32", "i32"],
  bind: ["i32", "buffer", "i32"],
  listen: ["i32", "i32"],
  accept4: ["i32", "buffer", "buffer", "i32"],
  connect: ["i32", "buffer", "i32"],
  recv: ["i32", "buffer", "i32", "i32"],
  send: ["i32", "buffer", "i32", "i32"],
  shutdown: ["i32", "i32"],
  close: ["i32"],
  setsockopt: ["i32", "i32", "i32", "buffer", "i32"],
  getsockopt: ["i32", "i32", "i32", "buffer", "buffer"],
  ioctl: ["i32", "i32", "buffer"],
};

declare const Deno: {
  dlopen(name: string, signatures: Record<string, unknown>): {
    symbols: SocketLibrary & { __errno_location(): object };
  };
  UnsafePointerView: { getArrayBuffer(pointer: object, length: number): ArrayBuffer };
};

interface BunFfi {
  dlopen(name: string, signatures: Record<string, unknown>): {
    symbols: SocketLibrary & { __errno_location(): number };
  };
  toArrayBuffer(pointer: number, offset: number, length: number): ArrayBuffer;
}

/** Loads the library on this runtime. */
export async function openLibc(): Promise<Libc> {
  return runtimeName() === "deno" ? openOnDeno() : await openOnBun();
}

function openOnDeno(): Libc {
  const signatures: Record<string, unknown> = {
    __errno_location: { parameters: [], result: "pointer" },
  };
  for (const [name, parameters] of Object.entries(PARAMETERS)) {
    signatures[name] = { parameters, result: "i32" };
  }
  const { symbols } = firstLibrary((name) => Deno.dlopen(name, signatures));
  const place = Deno.UnsafePointerView.getArrayBuffer(symbols.__errno_location(), 4);
  return libcWith(symbols, place);
}

async function openOnBun(): Promise<Libc> {
  // Not a literal, since Deno's module graph does not know `bun:`.
  const name: string = "bun:ffi";
  const ffi: BunFfi = await import(name);
  const signatures: Record<string, unknown> = { __errno_location: { args: [], returns: "ptr" } };
  for (const [name, parameters] of Object.entries(PARAMETERS)) {
    const args = parameters.map((type) => type === "buffer" ? "ptr" : type);
    signatures[name] = { args, returns: "i32" };
  }
  const { symbols } = firstLibrary((name) => ffi.dlopen(name, signatures));
  return libcWith(symbols, ffi.toArrayBuffer(symbols.__errno_location(), 0, 4));
}

function libcWith(calls: SocketLibrary, place: ArrayBuffer): Libc {
  const errno = new Int32Array(place);
  return { calls, errno: () => errno[0]! };
}
