/**
 * What few sockets are asked for.
 *
 * @module
 */
import type { NetAddr } from "../types.ts";

/** Each is made when it is asked for. */
export class LazyProperties {
  readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  writable: WritableStream<Uint8Array<ArrayBufferLike>> | undefined;
  localAddr: NetAddr | undefined;
  remoteAddr: NetAddr | undefined;
  onEnd: (() => void)[] | undefined;
  onFinished: (() => void)[] | undefined;
  abortReason: unknown;
}
