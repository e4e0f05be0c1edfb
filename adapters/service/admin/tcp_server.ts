/**
 * The admin API on a TCP port of the host. The servers of the runtimes have no limit of connections, and keep idle
 * ones: whoever reaches the port could use up the file descriptors of the service. So the connections are accepted and
 * counted here, and served by `http` on a stack of their own.
 *
 * @module
 */
import { createServer, type Server, type Socket } from "node:net";
import { createStack } from "../../../core/api/stack.ts";
import type { HostPort } from "../../../core/api/host_port.ts";
import { http } from "../../../plugins/http.ts";
import { relay } from "../../../plugins/shared/relay.ts";
import { SharedLimit } from "../../../plugins/shared/shared_limit.ts";
import { HostConnection } from "../../host/connection.ts";
import { linkPair } from "../../links/memory.ts";
import type { Fetch, RunningServer } from "./listen.ts";

/**
 * Maximum number of connections. At the limit, the client with the most connections loses its oldest one to a client
 * with fewer, and its own new connections are reset.
 */
export const MAX_CONNECTIONS = 256;
/** How long answers in progress may take after the end, in milliseconds. */
const FINISH_MS = 1000;
const SERVER = "10.0.0.1";
const CLIENT = "10.0.0.2";

/**
 * Serves `fetch`. A process that takes over can listen before this one ends.
 *
 * @throws {Error} The port is not available.
 */
export async function serveTcp(place: HostPort, fetch: Fetch): Promise<RunningServer> {
  const [serverLink, clientLink] = linkPair();
  const server = createStack({ link: serverLink, addresses: [`${SERVER}/30`] });
  server.use(80, http({ fetch: (request) => fetch(withHost(request)) }));
  const client = createStack({ link: clientLink, addresses: [`${CLIENT}/30`] });
  const limit = new SharedLimit(MAX_CONNECTIONS);
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const outer = new HostConnection(socket);
    const slot = limit.enter(remoteOf(socket), () => outer.abort());
    if (slot === undefined) return void outer.abort();
    const inner = client.connect(`${SERVER}:80`, { allowHalfOpen: true });
    void relay(outer, inner).catch(() => inner.abort()).finally(() => slot.leave());
  });
  let finished: Promise<void> | undefined;
  const end = async (graceMs: number) => {
    listener.close();
    await server.close({ graceMs });
    await client.close();
  };
  try {
    const port = await listening(listener, place);
    return {
      port,
      close: () => finished ??= end(0),
      finish: () => finished ??= end(FINISH_MS),
    };
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

function listening(listener: Server, { hostname, port }: HostPort): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once("error", reject);
    listener.listen({ host: hostname, port, reusePort: true } as object, () => {
      listener.off("error", reject);
      listener.on("error", () => {});
      const bound = listener.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}
