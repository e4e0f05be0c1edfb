/**
 * Shared libraries of the system, called through the runtime's foreign functions.
 *
 * @module
 */
import { createRequire } from "node:module";
import { runtimeName } from "./runtime.ts";

/** An address: an object on Deno, a number on Bun. Only good for handing it back. */
export type Pointer = object | number;

/** Types of parameters and results, in Deno's spelling. `buffer` is a typed array, or `null`. */
export type ForeignType = "void" | "i32" | "u32" | "i64" | "u64" | "pointer" | "buffer";

/** The parameters and the result of a function. */
export interface Signature {
  readonly parameters: readonly ForeignType[];
  readonly result: ForeignType;
}

/** A library that is open for the life of the process. */
export interface ForeignLibrary<Functions> {
  readonly functions: Functions;
  /**
   * A function that C may call, in this thread and while a foreign function runs. It is never freed.
   * `body` must not throw.
   */
  callback(signature: Signature, body: (...values: never[]) => number): Pointer;
  /** Where `bytes` lie; whoever keeps the address keeps `bytes` reachable. */
  addressOf(bytes: Uint8Array<ArrayBuffer>): Pointer;
  /** The text up to the terminating zero. */
  text(pointer: Pointer): string;
  /** A copy of `length` bytes. */
  bytes(pointer: Pointer, length: number): Uint8Array<ArrayBuffer>;
}

/**
 * Opens the first of `names` that can be opened; `undefined` where there is none, or the program has not
 * been given the permission. Deno compares `--allow-ffi=NAME` as text, so a library is worth trying by
 * its name and by its paths. Nobody is asked for a permission.
 */
export function openLibrary<Functions>(
  names: readonly string[],
  signatures: Readonly<Record<keyof Functions & string, Signature>>,
): ForeignLibrary<Functions> | undefined {
  const open = runtimeName() === "deno" ? denoOpener() : bunOpener();
  for (const name of names) {
    try {
      const library = open<Functions>(name, signatures);
      if (library !== undefined) return library;
    } catch {
      // There is no such library, or it lacks one of the functions.
    }
  }
  return undefined;
}

type Opener = <Functions>(
  name: string,
  signatures: Readonly<Record<string, Signature>>,
) => ForeignLibrary<Functions> | undefined;

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
  // Not imported: Deno's module graph has no `bun:`.
  const ffi: BunFfi = createRequire(import.meta.url)("bun:ffi");
  return <Functions>(name: string, signatures: Readonly<Record<string, Signature>>) => {
    const entries = Object.entries(signatures).map(([key, signature]) => [key, ofBun(signature)]);
    const { symbols } = ffi.dlopen(name, Object.fromEntries(entries));
    return {
      functions: symbols as Functions,
      callback: (signature, body) => new ffi.JSCallback(body, ofBun(signature)).ptr,
      addressOf(bytes) {
        // A small array lies inside its object until its buffer is asked for; then it moves out.
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
