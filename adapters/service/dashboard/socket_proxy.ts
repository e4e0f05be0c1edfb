/**
 * Serves the dashboard of a service whose admin API is on a Unix socket, which no browser can open.
 *
 * @module
 */
import { request } from "node:http";
import { Readable } from "node:stream";
import { Hono } from "hono";
import { systemClock, systemRandom } from "../../../core/api/environment.ts";
import { guard } from "../admin/guard.ts";
import { type AdminServer, listenForAdmin } from "../admin/listen.ts";
import { messageLine } from "../errors.ts";
import { dashboardRoutes } from "./routes.ts";
import { Sessions } from "./sessions.ts";

/** A proxy that is open. */
export interface SocketProxy extends AdminServer {
  /** The URL that signs in, once. */
  readonly url: string;
}

/** Serves the dashboard at a port of the loopback; requests of pages that have signed in go to the socket. */
export async function openSocketProxy(socketPath: string): Promise<SocketProxy> {
  const sessions = new Sessions(systemClock, systemRandom);
  // This token is never disclosed: signing in requires the key in the URL.
  const token = sessions.issueKey();
  sessions.useKey(token);
  const { access, routes } = dashboardRoutes(token, sessions);
  const app = new Hono().use(guard({ token, dashboard: access })).route("/", routes);
  app.all("*", (c) => relay(socketPath, c.req.raw));
  const server = await listenForAdmin({ hostname: "127.0.0.1", port: 0 }, app.fetch);
  return { ...server, url: `http://127.0.0.1:${server.port}/#key=${sessions.issueKey()}` };
}

/** Passes a request on to the socket. Requests from the page have no body. */
function relay(socketPath: string, { method, url, signal }: Request): Promise<Response> {
  const { pathname, search } = new URL(url);
  return new Promise((resolve) => {
    const asking = request({
      socketPath,
      method,
      path: pathname + search,
      headers: { Host: "localhost" },
    }, (answer) => {
      const type = answer.headers["content-type"];
      resolve(
        new Response(Readable.toWeb(answer) as unknown as ReadableStream<Uint8Array<ArrayBuffer>>, {
          status: answer.statusCode ?? 502,
          ...type !== undefined && { headers: { "Content-Type": type } },
        }),
      );
    });
    asking.on("error", (error) => {
      const reason = `cannot reach the service at unix:${socketPath}: ${messageLine(error)}`;
      resolve(Response.json({ error: reason }, { status: 502 }));
    }).end();
    signal.addEventListener("abort", () => asking.destroy());
  });
}
