/**
 * TLS clients of the runtime for a port of a stack.
 *
 * @module
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { HostConnection } from "../../../../adapters/host/connection.ts";
import { linkPair } from "../../../../adapters/links/memory.ts";
import type { Logger } from "../../../../core/api/environment.ts";
import { createStack } from "../../../../core/api/stack.ts";
import type { Handler, Plugin, TcpSocket } from "../../../../core/api/types.ts";

/** The server under test. */
export interface Server extends AsyncDisposable {
  /** Connects a TLS client; rejects if the handshake fails. */
  connect(options?: ConnectionOptions): Promise<TLSSocket>;
  /** The TCP socket below TLS of the last client. */
  readonly beneath: TcpSocket;
  /** Holds data to the client until the promise resolves. */
  hold(until: Promise<void>): void;
  /** The port of the host, for other programs. */
  readonly port: number;
  /** A client without TLS. */
  connectPlain(): Promise<Socket>;
  /** Lines that were logged, as `level message reason`. */
  readonly lines: string[];
  /** Numbers of failed handshakes, from the log lines. */
  readonly failures: unknown[];
  /** Number of open connections of clients. */
  readonly open: number;
}

/** Serves port 443 of a stack with `handlers`, behind a port of the host. */
export async function serveBehindHost(
  ...handlers: [Handler | Plugin, ...(Handler | Plugin)[]]
): Promise<Server> {
  const lines: string[] = [];
  const failures: unknown[] = [];
  const [here, there] = linkPair();
  const server = createStack({
    link: here,
    addresses: ["10.7.0.2/24"],
    log: loggerInto(lines, failures),
  });
  const client = createStack({ link: there, addresses: ["10.7.0.1/24"] });
  server.use(443, ...handlers);
  const inner: TcpSocket[] = [];
  const outer: Socket[] = [];
  let held: Promise<void> | undefined;
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    const beneath = client.connect("10.7.0.2:443", { allowHalfOpen: true });
    inner.push(beneath);
    outer.push(socket);
    join(new HostConnection(socket), beneath, () => held);
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as { port: number };
  const connectPlain = async () => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    outer.push(socket);
    socket.on("error", () => {});
    await once(socket, "connect");
    return socket;
  };
  return {
    lines,
    failures,
    port,
    connectPlain,
    get open() {
      return outer.filter((socket) => !socket.destroyed).length;
    },
    hold(until) {
      held = until;
    },
    get beneath() {
      return inner.at(-1)!;
    },
    async connect(options) {
      const socket = connectTls({
        socket: await connectPlain(),
        rejectUnauthorized: false,
        ...options,
      });
      await once(socket, "secureConnect");
      socket.on("error", () => {});
      return socket;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const socket of outer) socket.destroy();
      await server.close();
      await client.close();
    },
  };
}

/** Unlike `relay`, it leaves `beneath` open for the test when the client closes. */
function join(
  outer: HostConnection,
  beneath: TcpSocket,
  held: () => Promise<void> | undefined,
): void {
  const carry = async (from: HostConnection | TcpSocket, to: HostConnection | TcpSocket) => {
    const chunk = new Uint8Array(65_536);
    for (;;) {
      if (to === outer) await held();
      const size = await from.read(chunk);
      if (size === null) return await to.closeWrite();
      await to.write(chunk.subarray(0, size));
    }
  };
  carry(outer, beneath).catch(() => beneath.abort());
  carry(beneath, outer).catch(() => outer.abort());
  beneath.closed.catch(() => {});
  outer.closed.catch(() => {});
}

function loggerInto(lines: string[], failures: unknown[]): Logger {
  const at = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
    if (fields && "failures" in fields) failures.push(fields["failures"]);
    lines.push([level, message, fields?.["reason"] ?? fields?.["error"] ?? ""].join(" "));
  };
  return { debug() {}, info: at("info"), warn: at("warn"), error: at("error") };
}

/** Reads everything up to the end. */
export async function readAll(socket: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += new TextDecoder().decode(chunk);
  return text;
}
