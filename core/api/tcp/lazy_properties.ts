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
  /** Calls all callbacks: an array would take more memory than functions that call each other. */
  onEnd: (() => void) | undefined;
  onFinished: (() => void)[] | undefined;
  abortReason: unknown;
}
