import { setImmediate } from "node:timers";
import type { NodeFfi, NodeLibrary, NodePointer, NodeSignature } from "../node_ffi.ts";
import type { Poller } from "./host.ts";
import type { Bytes } from "./linux.ts";

/** Functions of libuv, the event loop of Node.js; those with a status return 0 for success. */
interface Uv {
  uv_handle_size(type: number): bigint;
  uv_poll_init(loop: NodePointer, handle: Bytes, fd: number): number;
  uv_poll_start(handle: Bytes, events: number, callback: NodePointer): number;
  uv_poll_stop(handle: Bytes): number;
  uv_close(handle: Bytes, callback: NodePointer): void;
}

const SIGNATURES: Readonly<Record<keyof Uv, NodeSignature>> = {
  uv_handle_size: { arguments: ["i32"], return: "u64" },
  uv_poll_init: { arguments: ["pointer", "buffer", "i32"], return: "i32" },
  uv_poll_start: { arguments: ["buffer", "i32", "pointer"], return: "i32" },
  uv_poll_stop: { arguments: ["buffer"], return: "i32" },
  uv_close: { arguments: ["buffer", "pointer"], return: "void" },
};

// uv.h
const UV_POLL = 8;
const UV_READABLE = 1;

/** Makes the event loop of Node.js wait for a descriptor. The process stays alive only during a wait. */
export class UvWaiter implements Poller {
  readonly #library: NodeLibrary<Uv>;
  /** `uv_poll_t`; libuv keeps its address until it is closed. */
  readonly #handle: Bytes;
  readonly #onReadable: NodePointer;
  #wake: (() => void) | undefined;
  #pending: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(library: NodeLibrary<Uv>, handle: Bytes) {
    this.#library = library;
    this.#handle = handle;
    this.#onReadable = library.lib.registerCallback(
      { arguments: ["pointer", "i32", "i32"], return: "void" },
      () => this.#end(),
    );
  }

  /**
   * Creates a waiter.
   *
   * @throws {Error} The event loop cannot wait for this descriptor.
   */
  static open(ffi: NodeFfi, fd: number): UvWaiter {
    const library = ffi.dlopen<Uv>(null, SIGNATURES);
    const { uv_handle_size, uv_poll_init } = library.functions;
    const handle = new Uint8Array(Number(uv_handle_size(UV_POLL)));
    const status = uv_poll_init(ffi.getCurrentEventLoop(), handle, fd);
    if (status === 0) return new UvWaiter(library, handle);
    library.lib.close();
    throw new Error(`the event loop cannot wait for descriptor ${fd}: Linux error ${-status}`);
  }

  wait(): Promise<void> {
    if (this.#closing !== undefined) return Promise.resolve();
    this.#pending ??= new Promise((resolve) => {
      this.#wake = resolve;
      this.#library.functions.uv_poll_start(this.#handle, UV_READABLE, this.#onReadable);
    });
    return this.#pending;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#free();
  }

  /** Called by libuv. Node.js runs no promise callbacks after such a call, so they wait for the immediate. */
  #end(): void {
    this.#library.functions.uv_poll_stop(this.#handle);
    const wake = this.#wake;
    this.#pending = this.#wake = undefined;
    if (wake !== undefined) setImmediate(wake);
  }

  async #free(): Promise<void> {
    this.#end();
    await new Promise<void>((resolve) => {
      const onClosed = this.#library.lib.registerCallback(
        { arguments: ["pointer"], return: "void" },
        () => void setImmediate(resolve),
      );
      this.#library.functions.uv_close(this.#handle, onClosed);
    });
    this.#library.lib.close();
  }
}
