/**
 * HTTP/2 for any `{ fetch }`, such as a Hono app (RFC 9113).
 *
 * @module
 */
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { z } from "zod";
import { messageOf, stackOf } from "../../core/api/error_text.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import { bytes, count, milliseconds } from "../../core/api/numbers.ts";
import { checkOptions } from "../../core/api/options.ts";
import { markFactory } from "../../core/api/plugin.ts";
import type { Context, Plugin } from "../../core/api/types.ts";
import type { FetchApp } from "../../plugins/http.ts";
import { envOf } from "../../plugins/shared/http/env.ts";
import { RequestBodyError } from "../../plugins/shared/http/refusal.ts";
import { withTimeout } from "../../plugins/shared/with_timeout.ts";
import { requestOf, respond } from "./http2/exchange.ts";
import { readPreface } from "./http2/preface.ts";
import { streamOf } from "./http2/socket_stream.ts";

/** Options of {@link http2}. */
export interface Http2Options {
  /** Requests of one connection that are served at once; more are refused. Default 100. */
  maxConcurrentStreams?: number | undefined;
  /** Bytes of a request's header list, at most (RFC 9113 6.5.2). Default 16,384. */
  maxHeaderBytes?: number | undefined;
  /** How long a connection may have no request, in milliseconds. Default 60,000. */
  keepAliveTimeoutMs?: number | undefined;
}

const optionsSchema = z.strictObject({
  maxConcurrentStreams: count(1, 10_000).default(100),
  maxHeaderBytes: bytes(1024, 1_048_576).default(16_384),
  keepAliveTimeoutMs: milliseconds().default(60_000),
});

type Settings = z.output<typeof optionsSchema>;

/**
 * Serves an app over HTTP/2, and leaves what is not HTTP/2 to the next plugin.
 *
 * Behind `tls` what ALPN has agreed on decides; without it, the preface with which a client of
 * HTTP/2 begins. So one port has both: `use(443, tls({ …, alpn: ["h2", "http/1.1"] }), http2(app),
 * http(app))`. Bodies are streamed in both directions, at the pace of who reads them. The second
 * argument of `app.fetch` is an {@link HttpEnv}; there are no WebSockets and no trailers.
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
  const settings = checkOptions("http2", optionsSchema, options);
  return {
    name: "http2",
    async handle(c, next) {
      const { alpn } = await c.socket.opened;
      if (alpn !== null && alpn !== "h2") return await next();
      // A client that says nothing is not waited for longer than one that has nothing to ask.
      const { isHttp2, socket } = await withTimeout(
        c.clock,
        settings.keepAliveTimeoutMs,
        () => c.socket.abort(),
        () => readPreface(c.socket),
      );
      if (!isHttp2) return await next(socket);
      await new Http2Connection(c, app, settings).run(socket);
    },
  };
}

markFactory(http2, "http2");

const UNSERVED = new Set(["CONNECT", "TRACE", "TRACK"]);

/** HTTP/2 has no upgrades (RFC 9113 8.6). */
const noUpgrade = (): boolean => false;

/** Serves the requests of one connection. */
class Http2Connection {
  readonly #c: Context;
  readonly #app: FetchApp;
  readonly #settings: Settings;
  readonly #envFor: ReturnType<typeof envOf>;
  readonly #authority: string;
  #session: ServerHttp2Session | undefined;
  #streams = 0;
  /** Requests that the app works on, those of streams that were reset among them. */
  #answering = 0;
  #cancelIdle = (): void => {};

  constructor(c: Context, app: FetchApp, settings: Settings) {
    this.#c = c;
    this.#app = app;
    this.#settings = settings;
    this.#envFor = envOf(c.socket, c.log);
    this.#authority = formatHostPort(c.socket.localAddr);
  }

  /** Resolves when the connection has ended, well or not. */
  async run(socket: Context["socket"]): Promise<void> {
    const { signal, log } = this.#c;
    // RFC 9113 6.8: the client opens no more streams; those that are open are served.
    const carrier = streamOf(socket, () => {
      this.#session?.close();
    });
    const ended = new Promise<void>((resolve) => carrier.once("close", () => resolve()));
    carrier.on("error", (error) => log.debug("http2: connection lost", { reason: error.message }));
    const stop = () => this.#session?.close();
    signal.addEventListener("abort", stop);
    socket.closed.catch((error) => carrier.destroy(error));
    this.#server().emit("connection", carrier);
    if (signal.aborted) stop();
    try {
      await ended;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#cancelIdle();
      this.#session?.destroy();
    }
  }

  #server(): Http2Server {
    const { maxConcurrentStreams, maxHeaderBytes } = this.#settings;
    const server = createServer({
      settings: { maxConcurrentStreams, maxHeaderListSize: maxHeaderBytes, enablePush: false },
    });
    server.on("session", (session) => {
      this.#session = session;
      this.#waitForRequests();
    });
    server.on("sessionError", (error: Error) => {
      this.#c.log.debug("http2: session broke", { reason: error.message });
    });
    server.on("stream", (stream, fields, flags) => {
      // END_STREAM (RFC 9113 6.2)
      this.#serve(stream as ServerHttp2Stream, fields, (flags & 1) === 0);
    });
    return server;
  }

  #waitForRequests(): void {
    const { clock } = this.#c;
    this.#cancelIdle();
    const at = clock.now() + this.#settings.keepAliveTimeoutMs;
    this.#cancelIdle = clock.schedule(at, () => this.#session?.close());
  }

  #serve(stream: ServerHttp2Stream, fields: IncomingHttpHeaders, hasBody: boolean): void {
    this.#streams++;
    this.#cancelIdle();
    stream.on("error", (error: Error) => {
      this.#c.log.debug("http2: stream broke", { reason: error.message });
    });
    stream.once("close", () => {
      if (--this.#streams === 0) this.#waitForRequests();
    });
    // RFC 9113 10.5: a stream that is reset at once makes room for the next, but not in the app.
    if (this.#answering >= this.#settings.maxConcurrentStreams) {
      return stream.close(constants.NGHTTP2_REFUSED_STREAM);
    }
    this.#answering++;
    this.#answer(stream, fields, hasBody).catch((error: Error) => {
      if (stream.destroyed || error instanceof RequestBodyError) return;
      this.#c.log.error("http2: response failed", { error: error.message });
    }).finally(() => this.#answering--);
  }

  async #answer(
    stream: ServerHttp2Stream,
    fields: IncomingHttpHeaders,
    hasBody: boolean,
  ): Promise<void> {
    const response = await this.#ask(stream, fields, hasBody);
    await respond(stream, response, fields[":method"] === "HEAD");
  }

  async #ask(
    stream: ServerHttp2Stream,
    fields: IncomingHttpHeaders,
    hasBody: boolean,
  ): Promise<Response> {
    // RFC 9110 9.3.6, 9.3.8: Fetch has no request for these, and nobody tunnels here.
    if (UNSERVED.has(String(fields[":method"]))) return new Response(null, { status: 501 });
    let request: Request;
    try {
      request = requestOf(stream, fields, this.#authority, hasBody);
    } catch {
      return new Response(null, { status: 400 });
    }
    try {
      const response = await this.#app.fetch(request, this.#envFor(noUpgrade));
      if (response instanceof Response && response.status >= 200) return response;
      throw new TypeError("The application's fetch() did not return a Response to send");
    } catch (error) {
      if (error instanceof RequestBodyError) {
        this.#c.log.debug("http2: request broke off", {
          remote: formatHostPort(this.#c.socket.remoteAddr),
          reason: error.message,
        });
        return error.getResponse();
      }
      if (!stream.destroyed) {
        this.#c.log.error("http2: application failed", {
          request: `${fields[":method"]} ${fields[":path"]}`,
          error: messageOf(error),
          stack: stackOf(error),
        });
      }
      return new Response("Internal Server Error", { status: 500 });
    }
  }
}
