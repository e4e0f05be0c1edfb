/**
 * HTTP/2 for any `{ fetch }`, such as a Hono app (RFC 9113).
 *
 * @module
 */
import { checkOptions } from "../core/api/options.ts";
import { markFactory } from "../core/api/plugin.ts";
import type { Plugin } from "../core/api/types.ts";
import { Http2Connection } from "./http2/connection.ts";
import { type Http2Options, http2OptionsSchema } from "./http2/options.ts";
import { readPreface } from "./http2/preface.ts";
import { DateField } from "./shared/http/date.ts";
import type { FetchApp } from "./shared/http/fetch_app.ts";
import { Turns } from "./shared/http/turns.ts";
import { withTimeout } from "./shared/with_timeout.ts";

export type { Http2Options } from "./http2/options.ts";

/**
 * Serves an app over HTTP/2, and leaves what is not HTTP/2 to the next plugin.
 *
 * Behind `tls` what ALPN has agreed on decides; without it, the preface with which a client of HTTP/2
 * begins. So one port has both: `use(443, tls({ …, alpn: ["h2", "http/1.1"] }), http2(app), http(app))`.
 *
 * Requests, bounds and timeouts are those of `http`: bodies are streamed in both directions at the pace
 * of their readers, a client that resets its stream or goes aborts `request.signal`, a body that fails
 * resets its stream. `upgradeWebSocket` works (RFC 8441). The trailers of requests are read over, those
 * of responses are none, as Fetch has none. What a client may do only so often, such as opening streams
 * and resetting them, is counted; a client that goes beyond is disconnected, and a line of the log says
 * for what.
 *
 * A connection holds at most 1 MiB of bodies that the app has not read, 256 KiB of each.
 *
 * @throws {TypeError} `app` has no `fetch`, or an option is not what it has to be.
 *
 * @example
 * ```ts
 * import { createStack, http, http2, linkPair } from "@berth/berth";
 * import { Hono } from "hono";
 * import { connect } from "node:http2";
 * import { Duplex } from "node:stream";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * const app = new Hono().get("/", (c) => c.text("ahoy"));
 * server.use(80, http2(app), http(app)); // one port for both
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * const { readable, writable } = client.connect("10.0.0.1:80", { allowHalfOpen: true });
 * const session = connect("http://10.0.0.1", {
 *   createConnection: () => Duplex.fromWeb({ readable, writable }),
 * });
 * let text = "";
 * for await (const chunk of session.request({ ":path": "/" })) text += chunk;
 * session.close();
 * if (text !== "ahoy") throw new Error(text);
 * ```
 */
export function http2(app: FetchApp, options: Http2Options = {}): Plugin {
  if (typeof app?.fetch !== "function") {
    throw new TypeError("http2: app: expected an object with fetch(request), such as a Hono app");
  }
  const checked = checkOptions("http2", http2OptionsSchema, options);
  const shared = { date: new DateField(), turns: new Turns() };
  return {
    name: "http2",
    async handle(c, next) {
      const { alpn } = await c.socket.opened;
      if (alpn !== null && alpn !== "h2") return await next();
      // Behind ALPN what is no preface is an error of the connection.
      if (alpn === null) {
        // A client that says nothing is not waited for longer than one that has nothing to ask.
        const other = await withTimeout(
          c.clock,
          checked.keepAliveTimeoutMs,
          () => c.socket.abort(),
          () => readPreface(c.socket),
        );
        if (other !== undefined) return await next(other);
      }
      await new Http2Connection(c, app, checked, shared, alpn === null).run();
    },
  };
}

markFactory(http2, "http2");
