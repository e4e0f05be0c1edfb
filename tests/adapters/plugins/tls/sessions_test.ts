import type { ConnectionOptions, TLSSocket } from "node:tls";
import { describe } from "bun:test";
import { tls } from "../../../../adapters/plugins/tls.ts";
import type { Handler, TcpSocket } from "../../../../core/api/types.ts";
import { type Conversation, socketConformance } from "../../../core/api/tcp/socket_conformance.ts";
import { makeCertificate, type TestCertificate } from "../../../support/certificates.ts";
import { until } from "../../../support/until.ts";
import { serveBehindHost, type Server } from "./support.ts";

/** Maximum unread bytes of a client before its connection is held. */
const HELD_BYTES = 65_536;

let made: TestCertificate | undefined;

/**
 * Reads a TLS client of the runtime without pausing it, because Deno 2.9 loses the end of a
 * connection that arrives while the client is paused. Instead, the connection beneath is held.
 */
class Client {
  readonly #socket: TLSSocket;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  #hasEnded = false;
  #release: (() => void) | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: TLSSocket, server: Server) {
    this.#socket = socket;
    socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      this.#wake?.();
      if (this.#size <= HELD_BYTES || this.#release) return;
      server.hold(new Promise((resolve) => this.#release = resolve));
    });
    socket.on("end", () => {
      this.#hasEnded = true;
      this.#wake?.();
    });
  }

  async read(p: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0 && !this.#hasEnded) {
      this.#release?.();
      this.#release = undefined;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const chunk = this.#chunks[0];
    if (chunk === undefined) return null;
    const count = Math.min(p.length, chunk.length);
    p.set(chunk.subarray(0, count));
    if (count < chunk.length) this.#chunks[0] = chunk.subarray(count);
    else this.#chunks.shift();
    this.#size -= count;
    return count;
  }

  write(p: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(p, (error) => error ? reject(error) : resolve());
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(resolve));
  }
}

/** A client of the runtime over the host's loopback device, in real time. */
async function overTls(engine: "openssl" | "runtime"): Promise<Conversation> {
  const accepted = Promise.withResolvers<TcpSocket>();
  const done = Promise.withResolvers<void>();
  const hold: Handler = async ({ socket }) => {
    accepted.resolve(socket);
    await done.promise;
  };
  made ??= makeCertificate(["localhost"]);
  const server = await serveBehindHost(tls({ certificates: [made], engine }), hold);
  const options: ConnectionOptions & { allowHalfOpen: boolean } = { allowHalfOpen: true };
  const client = new Client(await server.connect(options), server);
  // The relay of the client's bytes does not pass on a RST.
  const wasReset = new Promise<never>((_, reject) => server.beneath.closed.catch(reject));
  wasReset.catch(() => {});
  return {
    socket: await accepted.promise,
    peer: {
      read: (p) => client.read(p),
      write: (p) => Promise.race([client.write(p), wasReset]),
      closeWrite: () => client.closeWrite(),
      abort: () => server.beneath.abort(),
    },
    moreThanFits: 8_000_000,
    run: (promise) => promise,
    until,
    settle: () => new Promise((resolve) => setTimeout(resolve, 30)),
    async [Symbol.asyncDispose]() {
      done.resolve();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe("TlsSession.socket", () => {
  socketConformance(
    "a socket under OpenSSL",
    () => overTls("openssl"),
    { mayLoseUnreadOnReset: true },
    "program:openssl",
    "libssl",
  );
  socketConformance(
    "a socket under the runtime's TLS",
    () => overTls("runtime"),
    { hasSlowWrite: true, mayLoseUnreadOnReset: true },
    "program:openssl",
  );
});
