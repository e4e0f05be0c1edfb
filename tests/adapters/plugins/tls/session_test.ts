import type { ConnectionOptions } from "node:tls";
import { describe } from "bun:test";
import type { Handler, TcpSocket } from "../../../../core/api/types.ts";
import { HostConnection } from "../../../../adapters/host/connection.ts";
import { tls } from "../../../../adapters/plugins/tls.ts";
import { type Conversation, socketConformance } from "../../../core/api/tcp/socket_conformance.ts";
import { makeCertificate, type TestCertificate } from "../../../support/certificates.ts";
import { until } from "../../../support/until.ts";
import { serveBehindHost } from "./support.ts";

let made: TestCertificate | undefined;

/** A client of the runtime's behind the host's loopback device, in real time. */
async function overTls(): Promise<Conversation> {
  const accepted = Promise.withResolvers<TcpSocket>();
  const done = Promise.withResolvers<void>();
  const hold: Handler = async ({ socket }) => {
    accepted.resolve(socket);
    await done.promise;
  };
  made ??= makeCertificate(["localhost"]);
  const server = await serveBehindHost(tls({ certificates: [made] }), hold);
  const options: ConnectionOptions & { allowHalfOpen: boolean } = { allowHalfOpen: true };
  const client = new HostConnection(await server.connect(options), { keepAliveMs: 0 });
  // What carries the client's bytes says nothing of a RST.
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
    "a socket under TLS",
    overTls,
    { hasSlowWrite: true, mayLoseUnreadOnReset: true },
    "program:openssl",
  );
});
