/**
 * Recognizes protocols by the client's first bytes.
 *
 * @module
 */

import { MAX_EMPTY_LINES } from "../shared/empty_lines.ts";

/** A protocol that can be recognized. */
export type DetectedProtocol = "tls" | "http" | "http2" | "ssh";

/**
 * The methods in the IANA registry (RFC 9110 16.1.1), accepted with targets of any form; PRI belongs to
 * HTTP/2, QUERY is in draft-ietf-httpbis-safe-method-w-body.
 */
const METHODS =
  "ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK " +
  "LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH " +
  "POST PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK " +
  "UPDATE UPDATEREDIRECTREF VERSION-CONTROL";

/** Any other method, such as PURGE, with a path: no other protocol starts a line like this. */
const PATH_REQUEST = /^[A-Z][A-Z-]{0,23} \//;
const PATH_REQUEST_BEGINS = /^[A-Z][A-Z-]{0,23} ?$/;

/** Maximum number of bytes examined. */
export const MAX_PEEK = 40;

const LEADING_EMPTY_LINES = new RegExp(`^(?:\\r\\n){0,${MAX_EMPTY_LINES}}`);

/** Prefixes of the protocols; none is a prefix of another. */
const BEGINNINGS: readonly (readonly [string, DetectedProtocol])[] = [
  // A handshake record of SSL 3.0 to TLS 1.2; TLS 1.3 uses the same versions (RFC 8446 5.1).
  ...[0, 1, 2, 3].map((minor) => [`\x16\x03${String.fromCharCode(minor)}`, "tls"] as const),
  ["SSH-", "ssh"], // RFC 4253 4.2
  ["PRI * HTTP/2.0\r\n", "http2"], // RFC 9113 3.4
  ...METHODS.split(" ").map((method) => [`${method} `, "http"] as const),
];

/** The protocol; `"more"`: too few bytes to tell; `undefined`: an unknown protocol. */
export function protocolOf(bytes: Uint8Array): DetectedProtocol | "more" | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, MAX_PEEK));
  // RFC 9112 2.2: empty lines may precede a request.
  const start = text.replace(LEADING_EMPTY_LINES, "");
  const followsEmptyLine = start !== text;
  if (start === "" || start === "\r") return "more";
  const found = BEGINNINGS.find(([beginning]) => start.startsWith(beginning))?.[1] ??
    (PATH_REQUEST.test(start) ? "http" : undefined);
  if (found) return followsEmptyLine && found !== "http" ? undefined : found;
  const mayBe = PATH_REQUEST_BEGINS.test(start) ||
    BEGINNINGS.some(([beginning]) => beginning.startsWith(start));
  return mayBe && text.length < MAX_PEEK ? "more" : undefined;
}
