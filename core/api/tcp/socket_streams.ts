/**
 * A socket's two directions as WHATWG streams.
 *
 * @module
 */
import type { TcpSocket } from "../types.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The methods of a socket that its streams use; every {@link TcpSocket} has them. */
export type StreamedSocket = Pick<TcpSocket, "read" | "write" | "closeWrite" | "abort"> & {
  close(reason?: unknown): unknown;
};

/** Size of a read for a consumer that provides no buffer. */
const CHUNK = 64 * 1024;

/**
 * A byte stream without a queue: it reads only on request, so that the receive window follows the
 * consumer. Cancelling it closes the socket, as with `Deno.Conn`: otherwise the peer would wait
 * behind a closed window forever.
 */
export function readableOf(socket: Pick<StreamedSocket, "read" | "close">): ReadableStream<Bytes> {
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK,
    async pull(controller) {
      const request = controller.byobRequest!;
      const view = request.view!;
      const target = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
      const count = await socket.read(target);
      // The stream was cancelled meanwhile.
      if (controller.byobRequest !== request) return;
      if (count === null) {
        controller.close();
        request.respond(0);
      } else {
        request.respond(count);
      }
    },
    cancel(reason) {
      // Does not wait for the peer: the consumer is no longer interested.
      Promise.resolve(socket.close(reason)).catch(() => {});
    },
  }, { highWaterMark: 0 }) as ReadableStream<Bytes>;
}

/**
 * A stream whose `close()` calls the socket's `closeWrite()`, so that `pipeTo` ends with a FIN. A
 * write that fails aborts the connection: nothing can follow, and a FIN would make the data look
 * complete.
 */
export function writableOf(
  socket: Pick<StreamedSocket, "write" | "closeWrite" | "abort">,
): WritableStream<Uint8Array<ArrayBufferLike>> {
  return new WritableStream({
    start(controller) {
      // `abort` below is called only after a pending write has settled, which may never happen.
      const { signal } = controller;
      signal.addEventListener("abort", () => socket.abort(signal.reason), { once: true });
    },
    async write(chunk) {
      try {
        await socket.write(chunk);
      } catch (error) {
        socket.abort(error);
        throw error;
      }
    },
    close: () => socket.closeWrite(),
    abort: (reason) => socket.abort(reason),
  });
}
