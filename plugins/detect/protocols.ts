/**
 * Protocols by their first bytes.
 *
 * @module
 */

/** What can be told by what a client says first. */
export type DetectedProtocol = "tls" | "http" | "http2" | "ssh";

/** RFC 9110 9.3, RFC 5789, RFC 4918 9, RFC 3253 3.6, RFC 5323, and QUERY. */
const METHODS =
  "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH QUERY";

/** What begins so is of that protocol; none begins as another one does. */
const BEGINNINGS: readonly (readonly [string, DetectedProtocol])[] = [
  // A record of a handshake, of SSL 3.0 to TLS 1.2, as which TLS 1.3 goes too (RFC 8446 5.1).
  ...[0, 1, 2, 3].map((minor) => [`\x16\x03${String.fromCharCode(minor)}`, "tls"] as const),
  ["SSH-", "ssh"], // RFC 4253 4.2
  ["PRI * HTTP/2.0\r\n", "http2"], // RFC 9113 3.4
  ...METHODS.split(" ").map((method) => [`${method} `, "http"] as const),
];

/** The protocol; `"more"`: these are too few bytes to tell; `undefined`: none that is known. */
export function protocolOf(bytes: Uint8Array): DetectedProtocol | "more" | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 16));
  const found = BEGINNINGS.find(([beginning]) => text.startsWith(beginning));
  if (found) return found[1];
  return BEGINNINGS.some(([beginning]) => beginning.startsWith(text)) ? "more" : undefined;
}
