/**
 * Reading without a promise for each read.
 *
 * @module
 */
import type { TcpSocket } from "../types.ts";
import type { ReadableListener } from "./connection_listener.ts";

/** Implemented by a stack's own sockets, and by sockets that middleware derives from them with a `reader`. */
export interface DirectReader {
  /**
   * Reads into `target` what has arrived, and returns the number of bytes; 0: nothing has arrived. `null` after the
   * peer's FIN.
   *
   * @throws The error with which `read()` would reject.
   */
  tryRead(target: Uint8Array<ArrayBufferLike>): number | null;
  /**
   * Calls `listener`, once or twice, when {@link tryRead} may return something other than 0. Returns false, without a
   * call, if it may do so already. One listener at a time.
   */
  whenReadable(listener: ReadableListener): boolean;
}

/** `socket` as a {@link DirectReader}, if it can be read from without a promise. */
export function directReaderOf(socket: Pick<TcpSocket, "read">): DirectReader | undefined {
  return (socket as { readonly directReader?: DirectReader }).directReader;
}

/** Reads as `TcpSocket.read` does. Calls must not overlap. */
export function readThrough(
  reader: DirectReader,
  target: Uint8Array<ArrayBufferLike>,
): Promise<number | null> {
  return new Promise((resolve, reject) => {
    let isDone = false;
    const listener: ReadableListener = {
      onReadable(): void {
        if (isDone) return;
        try {
          // If the caller has transferred the buffer of `target` meanwhile, `target` is empty, and the result is 0.
          let count = reader.tryRead(target);
          while (count === 0 && target.length > 0) {
            if (reader.whenReadable(listener)) return;
            count = reader.tryRead(target);
          }
          isDone = true;
          resolve(count);
        } catch (error) {
          isDone = true;
          reject(error);
        }
      },
    };
    listener.onReadable();
  });
}
