/**
 * A socket's two directions as WHATWG streams.
 *
 * @module
 */
import type { TcpSocket } from "../types.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes read when the consumer brings no array of its own. */
const CHUNK = 64 * 1024;

/**
 * A byte stream with no queue of its own: nothing is read that nobody has asked for, so that the
 * window follows the consumer. Cancelling it closes the socket, as that of a `Deno.Conn` does:
 * otherwise the peer would wait for a reader that will never come.
 */
export function readableOf(socket: TcpSocket): ReadableStream<Bytes> {
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK,
    async pull(controller) {
      const request = controller.byobRequest!;
      const view = request.view!;
      const target = new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
      const count = await socket.read(target);
      // Cancelled meanwhile: nobody is left to be told.
      if (controller.byobRequest !== request) return;
      if (count === null) {
        controller.close();
        request.respond(0);
      } else {
        request.respond(count);
      }
    },
    cancel(reason) {
      // It is not waited for the peer: who cancels wants no more of it.
      socket.close(reason).catch(() => {});
    },
  }, { highWaterMark: 0 }) as ReadableStream<Bytes>;
}

/**
 * Its close is the socket's `closeWrite()`, so that `pipeTo` carries the end as a FIN. What cannot be
 * written ends the connection: nothing can follow, and an end would look as if it were all.
 */
export function writableOf(socket: TcpSocket): WritableStream<Uint8Array<ArrayBufferLike>> {
  return new WritableStream({
    start(controller) {
      // `abort` below is called behind the write that waits, which may be for ever.
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
