/**
 * Calls shared libraries of the system through the runtime's foreign function interface.
 *
 * @module
 */
import { createRequire } from "node:module";
import { type RuntimeName, runtimeName } from "./runtime.ts";

/** An address: an object on Deno, a number on Bun. Opaque; it can only be passed to a function. */
export type Pointer = object | number;

/** Types of parameters and results, in Deno's spelling. `buffer` is a typed array, or `null`. */
export type ForeignType = "void" | "i32" | "u32" | "i64" | "u64" | "pointer" | "buffer";

/** The parameters and the result of a function. */
export interface Signature {
  readonly parameters: readonly ForeignType[];
  readonly result: ForeignType;
}

/** A library that stays open until the process ends. */
export interface ForeignLibrary<Functions> {
  readonly functions: Functions;
  /**
   * A function that C may call in this thread, while a foreign function runs. It is never freed.
   * `body` must not throw.
   */
  callback(signature: Signature, body: (...values: never[]) => number): Pointer;
  /**
   * The address of `bytes`. The caller keeps `bytes` reachable for as long as it uses the address.
   */
  addressOf(bytes: Uint8Array<ArrayBuffer>): Pointer;
  /** The text up to the terminating zero. */
  text(pointer: Pointer): string;
  /** A copy of `length` bytes. */
  bytes(pointer: Pointer, length: number): Uint8Array<ArrayBuffer>;
}

/** Names of the C library: glibc's, then musl's. */
export const LIBC_NAMES: readonly string[] = [
  "libc.so.6",
  "libc.musl-x86_64.so.1",
  "libc.musl-aarch64.so.1",
];

/**
 * Opens the first of `names` that can be opened. Returns `undefined` if there is none, or if the program
 * lacks the permission; it never prompts. Deno's `--allow-ffi=PATH` permits only the full path, so pass
 * both the name of a library and its possible paths.
 */
export function openLibrary<Functions>(
  names: readonly string[],
  signatures: Readonly<Record<keyof Functions & string, Signature>>,
): ForeignLibrary<Functions> | undefined {
  const open = OPENERS[runtimeName()]?.();
  if (open === undefined) return undefined;
  for (const name of names) {
    try {
      const library = open<Functions>(name, signatures);
      if (library !== undefined) return library;
    } catch {
      // The library does not exist, or lacks one of the functions.
    }
  }
  return undefined;
}

type Opener = <Functions>(
  name: string,
  signatures: Readonly<Record<string, Signature>>,
) => ForeignLibrary<Functions> | undefined;

/** On Node.js, whose foreign functions are experimental, only devices use them. */
const OPENERS: Partial<Record<RuntimeName, () => Opener>> = { deno: denoOpener, bun: bunOpener };

interface DenoFfi {
  dlopen(name: string, signatures: Readonly<Record<string, Signature>>): { symbols: unknown };
  permissions: { querySync(what: { name: "ffi"; path: string }): { state: string } };
  UnsafeCallback: new (
    signature: Signature,
    body: (...values: never[]) => number,
  ) => { pointer: object };
  UnsafePointer: { of(bytes: Uint8Array): object };
  UnsafePointerView: {
    new (pointer: object): { getCString(): string };
    getArrayBuffer(pointer: object, length: number): ArrayBuffer;
  };
}

function denoOpener(): Opener {
  const { Deno } = globalThis as unknown as { Deno: DenoFfi };
  return <Functions>(name: string, signatures: Readonly<Record<string, Signature>>) => {
    if (Deno.permissions.querySync({ name: "ffi", path: name }).state !== "granted") {
      return undefined;
    }
    const { symbols } = Deno.dlopen(name, signatures);
    return {
      functions: symbols as Functions,
      callback: (signature, body) => new Deno.UnsafeCallback(signature, body).pointer,
      addressOf: (bytes) => Deno.UnsafePointer.of(bytes),
      text: (pointer) => new Deno.UnsafePointerView(pointer as object).getCString(),
      bytes: (pointer, length) =>
        new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer as object, length)).slice(),
    };
  };
}

interface BunSignature {
  args: readonly string[];
  returns: string;
}

interface BunFfi {
  dlopen(name: string, signatures: Record<string, BunSignature>): { symbols: unknown };
  JSCallback: new (body: (...values: never[]) => number, signature: BunSignature) => {
    ptr: number;
  };
  ptr(bytes: Uint8Array): number;
  CString: new (pointer: number) => string;
  toArrayBuffer(pointer: number, offset: number, length: number): ArrayBuffer;
}

function bunOpener(): Opener {
  // Not a static import, since Deno's module graph does not know `bun:`.
  const ffi: BunFfi = createRequire(import.meta.url)("bun:ffi");
  return <Functions>(name: string, signatures: Readonly<Record<string, Signature>>) => {
    const entries = Object.entries(signatures).map(([key, signature]) => [key, ofBun(signature)]);
    const { symbols } = ffi.dlopen(name, Object.fromEntries(entries));
    return {
      functions: symbols as Functions,
      callback: (signature, body) => new ffi.JSCallback(body, ofBun(signature)).ptr,
      addressOf(bytes) {
        // Reading `buffer` moves the bytes of a small array out of its object, to their final address.
        void bytes.buffer;
        return ffi.ptr(bytes);
      },
      text: (pointer) => `${new ffi.CString(pointer as number)}`,
      bytes: (pointer, length) =>
        new Uint8Array(ffi.toArrayBuffer(pointer as number, 0, length)).slice(),
    };
  };
}

function ofBun({ parameters, result }: Signature): BunSignature {
  const rename = (type: ForeignType) => type === "pointer" || type === "buffer" ? "ptr" : type;
  return { args: parameters.map(rename), returns: rename(result) };
}
