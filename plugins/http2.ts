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
