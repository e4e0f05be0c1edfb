/**
 * The server of the admin API. It accepts and counts the connections itself, and `http` serves them on a stack of
 * their own. The servers of the runtimes have no limit of connections and keep idle ones, so any client could use up
 * the file descriptors of the service; Deno's server also ends when descriptors are lacking.
 *
 * @module
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "../../../core/api/environment.ts";
import { createStack } from "../../../core/api/stack.ts";
import { http } from "../../../plugins/http.ts";
import { relay } from "../../../plugins/shared/relay.ts";
import { SharedLimit } from "../../../plugins/shared/shared_limit.ts";
import { HostConnection } from "../../host/connection.ts";
import { ReopeningServer } from "../../host/reopening_server.ts";
import { linkPair } from "../../links/memory.ts";

/**
 * Maximum number of connections. At the limit, the client with the most connections loses its oldest one to a client
 * with fewer, and its own new connections are reset.
 */
export const MAX_CONNECTIONS = 256;
/** How long responses in progress may take after the server was told to finish, in milliseconds. */
const FINISH_MS = 1000;
const SERVER = "10.0.0.1";
const CLIENT = "10.0.0.2";

/** The handler of requests. */
export type Fetch = (request: Request) => Response | Promise<Response>;

/** A server, without its address. */
export interface RunningServer {
  /** Closes the server and its connections at once. */
  close(): Promise<void>;
  /** Stops accepting connections, and closes the server after the responses to requests in progress. */
  finish(): Promise<void>;
}

/** Options of {@link serveConnections}. */
export interface ServerOptions {
  readonly log: Logger;
  /** Its address, for the log. */
  readonly name: string;
  /** Resolves once the server listens; called again if the server has to be reopened. */
  bind(server: Server): Promise<void>;
}

/**
 * Serves `fetch`.
 *
 * @throws {Error} The address is not available.
 */
export async function serveConnections(
  fetch: Fetch,
  options: ServerOptions,
): Promise<RunningServer> {
  const [serverLink, clientLink] = linkPair();
  const server = createStack({ link: serverLink, addresses: [`${SERVER}/30`] });
  server.use(80, http({ fetch: (request) => fetch(withHost(request)) }));
  const client = createStack({ link: clientLink, addresses: [`${CLIENT}/30`] });
  const limit = new SharedLimit(MAX_CONNECTIONS);
  const onConnection = (socket: Socket) => {
    const outer = new HostConnection(socket);
    const slot = limit.enter(remoteOf(socket), () => outer.abort());
    if (slot === undefined) return void outer.abort();
    const inner = client.connect(`${SERVER}:80`, { allowHalfOpen: true });
    void relay(outer, inner).catch(() => inner.abort()).finally(() => slot.leave());
  };
  const listener = new ReopeningServer({
    ...options,
    create: () => createServer({ allowHalfOpen: true, noDelay: true }, onConnection),
  });
  let finished: Promise<void> | undefined;
  const end = async (graceMs: number) => {
    void listener.close();
    await server.close({ graceMs });
    await client.close();
  };
  try {
    await listener.open();
    return { close: () => finished ??= end(0), finish: () => finished ??= end(FINISH_MS) };
  } catch (error) {
    await end(0);
    throw error;
  }
}

/** Without Host, as in HTTP/1.0 requests of health checks, the URL has the address of the stack. */
function withHost(request: Request): Request {
  if (request.headers.has("host")) return request;
  const { pathname, search } = new URL(request.url);
  return new Request(`http://localhost${pathname}${search}`, request);
}

function remoteOf({ remoteAddress = "" }: Socket): string {
  return remoteAddress.replace(/%.*$/, "");
}
