/**
 * Properties that few sockets use.
 *
 * @module
 */
import type { NetAddr } from "../types.ts";

/** Each is created on first use. */
export class LazyProperties {
  readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  writable: WritableStream<Uint8Array<ArrayBufferLike>> | undefined;
  localAddr: NetAddr | undefined;
  remoteAddr: NetAddr | undefined;
  abortReason: unknown;
  #onFinished: (() => void)[] | undefined;

  /** Adds a callback for the time when nothing more is expected from the peer. */
  addOnFinished(callback: () => void): void {
    (this.#onFinished ??= []).push(callback);
  }

  /** Runs the callbacks of {@link addOnFinished}, once. */
  runOnFinished(): void {
    for (const callback of this.#onFinished?.splice(0) ?? []) callback();
  }
}
