/**
 * A socket of the stack as the stream under a session of `node:http2`.
 *
 * @module
 */
import { Duplex } from "node:stream";
import { readChunk } from "../../../core/api/tcp/read_chunk.ts";
import type { TcpSocket } from "../../../core/api/types.ts";
import { GoawayFilter } from "./goaway_filter.ts";

/**
 * Reads when it is read, writes one chunk at a time; its ends are the socket's half-closes. The
 * client's GOAWAY frames do not get through; `onGoaway` is called when the first has come.
 */
export function streamOf(socket: TcpSocket, onGoaway: () => void): Duplex {
  const filter = new GoawayFilter();
  /** Reads until something passes the filter: only a push asks for more. */
  async function read(carrier: Duplex): Promise<void> {
    for (let hasPassed = false; !hasPassed;) {
      const chunk = await readChunk(socket);
      socket.acknowledge();
      if (chunk === undefined) return void carrier.push(null);
      const hadSeenGoaway = filter.hasSeenGoaway;
      for (const part of filter.filter(chunk)) {
        hasPassed = true;
        carrier.push(part);
      }
      if (filter.hasSeenGoaway && !hadSeenGoaway) onGoaway();
    }
  }
  return new Duplex({
    allowHalfOpen: true,
    read() {
      read(this).catch((error) => this.destroy(error));
    },
    write(chunk: Uint8Array, _encoding, done) {
      socket.write(chunk).then(() => done(), done);
    },
    final(done) {
      socket.closeWrite().then(() => done(), done);
    },
  });
}
