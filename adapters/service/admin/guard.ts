/**
 * Who may use the admin API: refuses requests from other web pages, and requests without the token.
 *
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import type { Context, MiddlewareHandler } from "hono";

/** Options of {@link guard}. */
export interface GuardOptions {
  /** Required in `Authorization: Bearer TOKEN`. Without a token, the Unix socket's permissions decide. */
  readonly token?: string | undefined;
  /** Names, besides those of the loopback, that `Host` may have. With a token it may be any address. */
  readonly hosts?: readonly string[] | undefined;
  /** The dashboard. Without it, requests from all web pages are refused. */
  readonly dashboard?: DashboardAccess | undefined;
}

/** The rules for requests from the dashboard. */
export interface DashboardAccess {
  /**
   * Whether a request needs no token, because its response has no data of the service: the page's files, and signing
   * in.
   */
  isPublic(method: string, path: string): boolean;
  /** Whether a token belongs to a page that has signed in; it differs from the token of the API. */
  isSignedIn(token: string): boolean;
  /** Whether a page that has signed in may send the request. */
  mayAsk(method: string, path: string): boolean;
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const MARKS = ["origin", "sec-fetch-site", "sec-fetch-mode"];

/**
 * A page can make a browser send requests to any address that the browser can reach, even under a name that
 * the page's owner points to that address (DNS rebinding). Browsers mark such requests: with `Origin`, with
 * `Sec-Fetch-Site`, and with a `Host` that is not a name of the API. Rebinding needs a name, so a request whose
 * `Host` is an address was meant for that address. Of the marked requests, only those of the API's own page are
 * answered. The token of that page is in a header field that no browser sends by itself, unlike a cookie: a
 * request that another page causes does not carry it.
 */
export function guard({ token, hosts = [], dashboard }: GuardOptions): MiddlewareHandler {
  const allowed = new Set([...LOOPBACK, ...hosts]);
  return async (c, next) => {
    const name = hostOf(c).replace(/:\d+$/, "");
    const isAddress = isIP(name.replace(/^\[(.*)\]$/, "$1")) !== 0;
    if (!allowed.has(name) && !(isAddress && token !== undefined)) {
      return c.json({ error: refusalOf(name) }, 403);
    }
    const isFromPage = MARKS.some((header) => c.req.header(header) !== undefined);
    if (isFromPage && (dashboard === undefined || !(isSameOrigin(c) || isOpening(c)))) {
      return c.json({ error: "the admin API accepts no requests from web pages" }, 403);
    }
    const { method, path } = c.req;
    if (token === undefined || dashboard?.isPublic(method, path)) return await next();
    const [, given = ""] = /^Bearer (.*)$/.exec(c.req.header("authorization") ?? "") ?? [];
    if (isSame(given, token)) return await next();
    if (dashboard?.isSignedIn(given)) {
      if (dashboard.mayAsk(method, path)) return await next();
      return c.json({ error: `the dashboard may not send ${method} ${path}` }, 403);
    }
    c.header("WWW-Authenticate", 'Bearer realm="berth"');
    return c.json({ error: "expected the token in Authorization: Bearer TOKEN" }, 401);
  };
}

function refusalOf(name: string): string {
  return `the Host ${name} is not one of the admin API: use an address or localhost, ` +
    'or list the name in the setting admin: { "hosts": ["NAME"] }';
}

/** Compares two texts in a time that does not depend on where they differ. */
export function isSame(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

function hostOf(c: Context): string {
  return (c.req.header("host") ?? new URL(c.req.url).host).toLowerCase();
}

/** All header fields with which the browser describes the page must agree. */
function isSameOrigin(c: Context): boolean {
  const site = c.req.header("sec-fetch-site");
  const origin = c.req.header("origin");
  if (site !== undefined && site !== "same-origin") return false;
  return origin === undefined ? site !== undefined : URL.parse(origin)?.host === hostOf(c);
}

/** Whether the browser opens the page in a tab, by its address or a link, and not in a frame. */
function isOpening(c: Context): boolean {
  return c.req.method === "GET" && c.req.path === "/" && c.req.header("origin") === undefined &&
    c.req.header("sec-fetch-mode") === "navigate" && c.req.header("sec-fetch-dest") === "document";
}
