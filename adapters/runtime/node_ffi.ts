/**
 * The part of the module `node:ffi` of Node.js 26 that is used here.
 *
 * @module
 */
import { createRequire } from "node:module";

/** An address. */
export type NodePointer = bigint;

/** Parameters and result of a function, in types such as `"i32"`, `"u64"`, `"buffer"`, `"pointer"`. */
export interface NodeSignature {
  readonly arguments: readonly string[];
  readonly return: string;
}

/** What `dlopen` opens. */
export interface NodeLibrary<Functions> {
  readonly functions: Functions;
  readonly lib: {
    /** C may call the callback in this thread until the library is closed. */
    registerCallback(
      signature: NodeSignature,
      body: (...values: never[]) => void,
    ): NodePointer;
    close(): void;
  };
}

/** `node:ffi`. */
export interface NodeFfi {
  /** Opens a library, or with `null` the program itself. A parameter of 64 bits takes a `bigint`. */
  dlopen<Functions>(
    path: string | null,
    signatures: Readonly<Record<keyof Functions & string, NodeSignature>>,
  ): NodeLibrary<Functions>;
  toArrayBuffer(pointer: NodePointer, length: number, copy: boolean): ArrayBuffer;
  getRawPointer(bytes: Uint8Array): NodePointer;
  /** The thread's `uv_loop_t`; Node.js 26.6 and later. */
  getCurrentEventLoop(): NodePointer;
}

/** The module; `undefined` if this Node.js is older than 26.6, or was built or started without it. */
export function nodeFfi(): NodeFfi | undefined {
  try {
    // Not a static import, since other runtimes do not know the module.
    const ffi: NodeFfi = createRequire(import.meta.url)("node:ffi");
    return typeof ffi.getCurrentEventLoop === "function" ? ffi : undefined;
  } catch {
    return undefined;
  }
}
