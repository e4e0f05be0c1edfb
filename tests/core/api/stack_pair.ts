import { linkPair, type LinkPairOptions } from "../../../adapters/links/memory.ts";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import type { TcpOptions } from "../../../core/api/config.ts";
import type { Logger } from "../../../core/api/environment.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Link } from "../../../core/stack/link.ts";
import type { ConnectOptions, Stack, TcpListener, TcpSocket } from "../../../core/api/types.ts";

/** A log line of a stack. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

/** Two stacks on a memory link, in virtual time: a client at 10.0.0.1, a server at 10.0.0.2. */
export class StackPair implements AsyncDisposable {
  readonly clock: VirtualClock = new VirtualClock();
  readonly client: Stack;
  readonly server: Stack;
  /** Log lines of the server. */
  readonly lines: LogLine[] = [];

  /** The server uses the client's TCP options unless it has its own. */
  constructor(
    tcp: TcpOptions = {},
    serverTcp: TcpOptions = tcp,
    { dropsWhenFull = false, ...link }: LinkPairOptions & { dropsWhenFull?: boolean } = {},
  ) {
    const [left, right] = linkPair(link).map((end) => dropsWhenFull ? withoutIsFull(end) : end);
    const { clock } = this;
    this.client = createStack({
      clock,
      tcp,
      link: left!,
      addresses: ["10.0.0.1/24", "fd00::1/64"],
      random: seededRandom(1),
    });
    this.server = createStack({
      clock,
      tcp: serverTcp,
      link: right!,
      addresses: ["10.0.0.2/24", "fd00::2/64"],
      random: seededRandom(2),
      log: logTo(this.lines),
    });
  }

  /** Waits in virtual time. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.runUntil(promise);
  }

  /** Opens a connection; returns both sockets. */
  async connect(options: ConnectOptions = { allowHalfOpen: true }): Promise<Connected> {
    const listener = this.server.listen({ port: 0 });
    const client = this.client.connect(`10.0.0.2:${listener.addr.port}`, options);
    const server = await this.run(listener.accept());
    await this.run(client.opened);
    return { client, server, listener };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run(Promise.all([this.client.close(), this.server.close()]));
  }
}

/** A link that drops packets while it is full, as a device does. */
function withoutIsFull(link: Link): Link {
  return {
    name: link.name,
    features: link.features,
    receive: (batch) => link.receive(batch),
    ready: () => link.ready(),
    send: (packet) => link.send(packet),
    close: () => link.close(),
    [Symbol.asyncDispose]: () => link.close(),
  };
}

/** Both ends of a connection. */
export interface Connected {
  readonly client: TcpSocket;
  readonly server: TcpSocket;
  readonly listener: TcpListener;
}

function logTo(lines: LogLine[]): Logger {
  const level = (level: string) => (message: string, fields?: LogLine["fields"]) =>
    void lines.push({ level, message, fields });
  return { debug: level("debug"), info: level("info"), warn: level("warn"), error: level("error") };
}

/** Bytes of a text. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Reads up to the peer's FIN; returns the text. */
export async function readText(socket: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of socket) text += decoder.decode(chunk, { stream: true });
  return text;
}

/** The error code with which a promise rejects; "none" if it resolves. */
export function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => "none", (error) => String((error as { code?: string }).code ?? error));
}
