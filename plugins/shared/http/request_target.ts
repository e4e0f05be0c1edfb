/**
 * The URL of a request, from request-target and Host (RFC 9112 3.2, 3.3).
 *
 * @module
 */
import { badRequest, HttpRefusal } from "./refusal.ts";
import type { RequestHead } from "./request_head.ts";

/** The target `*`, the server as a whole, which has no URL (RFC 9112 3.2.4). */
export const ASTERISK = "*";

/**
 * The scheme of the connection: with TLS or without. That of an absolute-form target is ignored.
 */
export type Scheme = "http" | "https";

/**
 * The URL of `head`, {@link ASTERISK}, or a refusal. `authority` is used if the client sent none.
 */
export function requestUrl(
  head: RequestHead,
  authority: string,
  scheme: Scheme,
): string | HttpRefusal {
  const { method, target, http11, known: { host } } = head;
  // RFC 9112 3.2: 400 for an HTTP/1.1 request without Host, or with an invalid one.
  if (host === undefined && http11) return badRequest("the Host field is missing");
  if (host !== undefined && !isAuthority(host)) return badRequest("the Host field is invalid");
  // Fetch forbids these methods; CONNECT asks for a tunnel, TRACE discloses header fields.
  if (method === "CONNECT" || method === "TRACE" || method === "TRACK") {
    return new HttpRefusal(501, `this server does not serve ${method}`);
  }
  if (target.startsWith("/")) {
    return originForm(`${scheme}://${host || authority}${target}`, target);
  }
  if (target === "*" && method === "OPTIONS") return ASTERISK;
  return absoluteForm(target, scheme);
}

function originForm(url: string, target: string): string | HttpRefusal {
  try {
    return hrefOf(url, target);
  } catch {
    return badRequest("the request-target and Host do not make a URL");
  }
}

/**
 * `new URL(url).href`, for a `url` that ends with `target` in origin form.
 *
 * @throws {TypeError} The URL is not valid.
 */
export function hrefOf(url: string, target: string): string {
  if (!PLAIN_TARGET.test(target)) return new URL(url).href;
  const origin = url.slice(0, url.length - target.length);
  if (origin !== lastOrigin.text) lastOrigin = { text: origin, href: new URL(origin).origin };
  return lastOrigin.href + target;
}

/** Path and query that URL does not change: no dot segments, nothing to encode. */
const PLAIN_TARGET = /^(?:\/[\w-][\w.~-]*)*\/?(?:\?[\w.~=&-]*)?$/;

let lastOrigin = { text: "", href: "" };

/** Whether `text` is `uri-host [ ":" port ]`, or empty (RFC 9110 7.2). */
export function isAuthority(text: string): boolean {
  if (text === lastAuthority) return true;
  if (!AUTHORITY.test(text)) return false;
  lastAuthority = text;
  return true;
}

/** Most requests of a connection, and of a server, have the same Host. */
let lastAuthority = "";

const AUTHORITY =
  /^(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]{0,5})?$/;

/**
 * The URL of a target in absolute form, which a server must accept, and whose authority replaces
 * Host (RFC 9112 3.2.2).
 */
function absoluteForm(target: string, scheme: Scheme): string | HttpRefusal {
  const parts = /^https?:\/\/([^/?]+)(.*)$/i.exec(target);
  if (!parts || !isAuthority(parts[1]!)) {
    return badRequest("the request-target is neither a path nor an http URL");
  }
  const rest = parts[2]!;
  return `${scheme}://${parts[1]}${rest.startsWith("/") ? rest : `/${rest}`}`;
}
