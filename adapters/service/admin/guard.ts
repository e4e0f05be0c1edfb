/**
 * Who may use the admin API: refuses requests from web pages, and requests without the token.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";

/** Options of {@link guard}. */
export interface GuardOptions {
  /** Required in `Authorization: Bearer TOKEN`; absent: the Unix socket's permissions decide. */
  readonly token?: string | undefined;
  /** Names and addresses, besides those of the loopback, that `Host` may have. */
  readonly hosts?: readonly string[] | undefined;
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/**
 * A page can make a browser send requests to any address that the browser can reach, also under a name that
 * the page's owner points to that address (DNS rebinding). Browsers mark them: with `Origin`, with
 * `Sec-Fetch-Site`, and with a `Host` that the API does not have. No such request is needed.
 */
export function guard({ token, hosts = [] }: GuardOptions): MiddlewareHandler {
  const allowed = new Set([...LOOPBACK, ...hosts]);
  return async (c, next) => {
    const name = (c.req.header("host") ?? new URL(c.req.url).host).replace(/:\d+$/, "")
      .toLowerCase();
    if (!allowed.has(name)) {
      return c.json({ error: `the host ${name} is not that of the admin API` }, 403);
    }
    for (const header of ["origin", "sec-fetch-site", "sec-fetch-mode"]) {
      if (c.req.header(header) === undefined) continue;
      return c.json({ error: "the admin API accepts no requests from web pages" }, 403);
    }
    if (token !== undefined && !isSame(c.req.header("authorization") ?? "", `Bearer ${token}`)) {
      c.header("WWW-Authenticate", 'Bearer realm="berth"');
      return c.json({ error: "expected the token in Authorization: Bearer TOKEN" }, 401);
    }
    return await next();
  };
}

/** Compares in a time that does not depend on where they differ. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
