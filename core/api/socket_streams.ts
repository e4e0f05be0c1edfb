/**
 * A socket's two directions as WHATWG streams.
 *
 * @module
 */
import type { TcpSocket } from "./types.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes read when the consumer brings no array of its own. */
const CHUNK = 64 * 1024;

/**
 * A byte stream with no queue of its own: nothing is read that nobody has asked for, so that the
 * window follows the consumer.
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
      if (count === null) {
        controller.close();
        request.respond(0);
      } else {
        request.respond(count);
      }
    },
  }, { highWaterMark: 0 }) as ReadableStream<Bytes>;
}

/** Its close is the socket's `closeWrite()`, so that `pipeTo` carries the end as a FIN. */
export function writableOf(socket: TcpSocket): WritableStream<Uint8Array<ArrayBufferLike>> {
  return new WritableStream({
    async write(chunk) {
      await socket.write(chunk);
    },
    close: () => socket.closeWrite(),
    abort: (reason) => socket.abort(reason),
  });
}
