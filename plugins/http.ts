/**
 * HTTP/1.1 for any `{ fetch }`, such as a Hono app (RFC 9110, RFC 9112).
 *
 * @module
 */
import { z } from "zod";
import { checkOptions } from "../core/api/options.ts";
import { markFactory } from "../core/api/plugin.ts";
import type { JsonValue } from "../core/api/moves/types.ts";
import type { Context, Plugin, TcpSocket } from "../core/api/types.ts";
import { HttpConnection, type MovedHttp } from "./http/connection.ts";
import type { FetchApp } from "./shared/http/fetch_app.ts";
import { DateField } from "./shared/http/date.ts";
import { type HttpOptions, httpOptionsSchema } from "./http/options.ts";
import { RequestObserver } from "./shared/http/request_observer.ts";
import { Turns } from "./shared/http/turns.ts";

export type { FetchApp } from "./shared/http/fetch_app.ts";
export type { HttpEnv, PeerAddress } from "./shared/http/env.ts";
export type { HttpOptions } from "./http/options.ts";
export type { AccessLogFormat } from "./shared/http/access_log.ts";
export { RequestBodyError } from "./shared/http/refusal.ts";

/** The schema of the state that another stack has sent. */
const movedHttpSchema = z.strictObject({ upgraded: z.boolean(), input: z.string() });

/**
 * Serves `app` over HTTP/1.1.
 *
 * Connections are persistent, requests may be pipelined, and bodies are streamed in both directions. Everything that
 * a client does has a limit or a timeout. Requests that two servers could interpret differently are refused.
 *
 * A client that closes its side of the connection while its request is being served counts as gone:
 * `request.signal` is aborted with an `AbortError`, and a response body that has not ended is
 * cancelled. A response that is complete is still sent.
 *
 * The second argument of `app.fetch` is an {@link HttpEnv}: `getConnInfo` of `hono/deno` and of
 * `hono/bun` both work with it. So does their `serveStatic`; `staticFiles` is faster, and has byte
 * ranges, validators and a length on either runtime. Their `upgradeWebSocket` and Bun's `Server.upgrade`
 * need the runtime's own server and are answered with 500: use `upgradeWebSocket` of this package.
 *
 * On Bun `rememberResponseText`, which the service calls, makes small responses cheaper. With it a
 * `Bun.file` is sent with its length, and a request with `Range` gets a part of it, as with `Bun.serve`.
 *
 * @throws {TypeError} `app` has no `fetch`, or an option is not valid.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { http } from "@berth/berth/plugins";
 * import { Hono } from "hono";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * const app = new Hono().get("/", (c) => c.text("ahoy"));
 * server.use(80, http(app, { maxBodyBytes: 1_000_000 }));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:80");
 * await socket.write(new TextEncoder().encode("GET / HTTP/1.0\r\nHost: berth\r\n\r\n"));
 * const response = await new Response(socket.readable).text();
 * if (!response.endsWith("\r\n\r\nahoy")) throw new Error(response);
 * ```
 */
export function http(app: FetchApp, options: HttpOptions = {}): Plugin {
  if (typeof app?.fetch !== "function") {
    throw new TypeError("http: app: expected an object with fetch(request), such as a Hono app");
  }
  const checked = checkOptions("http", httpOptionsSchema, options);
  const observer = new RequestObserver(checked.accessLog);
  const shared = { date: new DateField(), turns: new Turns(), observer };
  const open = new WeakMap<TcpSocket, HttpConnection>();
  const run = (c: Context, moved?: MovedHttp) => {
    const connection = new HttpConnection(c, app, checked, shared, moved);
    open.set(c.socket, connection);
    return connection.run();
  };
  return {
    name: "http",
    handle: (c) => run(c),
    freeze: ({ socket }) => open.get(socket)?.freeze() as JsonValue | undefined,
    thaw: (c, state) => run(c, movedHttpSchema.parse(state)),
    metrics: () => observer.metrics,
  };
}

markFactory(http, "http", httpOptionsSchema);
