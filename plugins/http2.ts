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
import { RequestObserver } from "./shared/http/request_observer.ts";
import { Turns } from "./shared/http/turns.ts";
import { withTimeout } from "./shared/with_timeout.ts";

export type { Http2Options } from "./http2/options.ts";

/**
 * Serves an app over HTTP/2, and passes connections of other protocols to the next plugin.
 *
 * Behind `tls` the protocol negotiated by ALPN decides; otherwise the client's first bytes do, so one port
 * can serve both versions: `use(443, tls({ …, alpn: ["h2", "http/1.1"] }), http2(app), http(app))`.
 *
 * Limits and timeouts are those of `http`. Bodies are streamed in both directions at the pace of their
 * readers. If a client resets its stream or disconnects, `request.signal` is aborted and the response body
 * cancelled; a response body that fails resets the stream. `upgradeWebSocket` works (RFC 8441). Request
 * trailers are validated and ignored, since Fetch has none. Events that cost the server more than the
 * client, such as stream resets, are rate-limited: a client that exceeds a limit is disconnected, and the
 * log names the limit.
 *
 * A connection buffers at most 1 MiB of unread request bodies, 256 KiB for each stream.
 *
 * @throws {TypeError} `app` has no `fetch`, or an option is not valid.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { http, http2 } from "@berth/berth/plugins";
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
 * session.destroy();
 * if (text !== "ahoy") throw new Error(text);
 * ```
 */
export function http2(app: FetchApp, options: Http2Options = {}): Plugin {
  if (typeof app?.fetch !== "function") {
    throw new TypeError("http2: app: expected an object with fetch(request), such as a Hono app");
  }
  const checked = checkOptions("http2", http2OptionsSchema, options);
  const observer = new RequestObserver(checked.accessLog);
  const shared = { date: new DateField(), turns: new Turns(), observer };
  return {
    name: "http2",
    async handle(c, next) {
      const { alpn } = await c.socket.opened;
      if (alpn !== null && alpn !== "h2") return await next();
      // After ALPN the session itself expects the preface.
      if (alpn === null) {
        // A client that sends nothing counts as idle.
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
    metrics: () => observer.metrics,
  };
}

markFactory(http2, "http2", http2OptionsSchema);
