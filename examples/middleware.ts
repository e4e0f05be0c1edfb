/**
 * Middleware: a function that wraps the socket which the following plugins see. This one counts the
 * bytes of a connection in both directions and reports them when the connection ends.
 *
 *     deno run -A examples/middleware.ts
 *
 * @module
 */
import { createStack, deriveSocket, type Handler } from "@berth/berth";
import { linkPair } from "@berth/berth/links";
import { echo } from "@berth/berth/plugins";

/** Bytes of one connection. */
export interface Traffic {
  /** From the client. */
  received: number;
  /** To the client. */
  sent: number;
}

/** Calls `report` once for each connection, even if it fails. */
export function countTraffic(report: (traffic: Traffic) => void): Handler {
  return async ({ socket }, next) => {
    const traffic: Traffic = { received: 0, sent: 0 };
    const buffer = new Uint8Array(16_384);
    try {
      await next(deriveSocket(socket, {
        async readChunk() {
          const length = await socket.read(buffer);
          if (length === null) return undefined;
          traffic.received += length;
          return buffer.slice(0, length);
        },
        async write(bytes) {
          await socket.write(bytes);
          traffic.sent += bytes.length;
        },
      }));
    } finally {
      report(traffic);
    }
  };
}

if (import.meta.main) {
  const [here, there] = linkPair();
  await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
  server.use(7, countTraffic((traffic) => console.log(traffic)), echo());

  await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
  await using socket = client.connect("10.0.0.1:7", { allowHalfOpen: true });
  await socket.write(new Uint8Array(1000));
  await socket.closeWrite();
  for await (const _ of socket);
}
