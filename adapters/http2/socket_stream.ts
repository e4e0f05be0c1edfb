/**
 * A socket of the stack as a stream of the runtime's.
 *
 * @module
 */
import { Duplex } from "node:stream";
import { readChunk } from "../../core/api/read_chunk.ts";
import type { TcpSocket } from "../../core/api/types.ts";

/** Reads when it is read, writes one chunk at a time; its ends are the socket's half-closes. */
export function streamOf(socket: TcpSocket): Duplex {
  return new Duplex({
    allowHalfOpen: true,
    read() {
      readChunk(socket).then((chunk) => {
        socket.acknowledge();
        this.push(chunk ?? null);
      }, (error) => this.destroy(error));
    },
    write(chunk: Uint8Array, _encoding, done) {
      socket.write(chunk).then(() => done(), done);
    },
    final(done) {
      socket.closeWrite().then(() => done(), done);
    },
  });
}
