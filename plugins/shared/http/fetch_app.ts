/**
 * The application behind an HTTP server.
 *
 * @module
 */
import type { HttpEnv } from "./env.ts";

/**
 * What `http` and `http2` serve: anything with a `fetch` of this shape, such as a Hono app or the
 * default export of a module for `deno serve`.
 */
export interface FetchApp {
  /** Answers a request; {@link HttpEnv} describes the connection. */
  fetch(request: Request, env: HttpEnv): Response | Promise<Response>;
}
