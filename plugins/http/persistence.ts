/**
 * Whether a connection carries another request (RFC 9112 9.3).
 *
 * @module
 */
import type { RequestHead } from "../shared/http/request_head.ts";

/** What the client wants: the default of HTTP/1.1 is to persist, that of HTTP/1.0 is not to. */
export function wantsKeepAlive({ http11, known: { connection } }: RequestHead): boolean {
  if (connection === undefined) return http11;
  if (hasOption(connection, "close")) return false;
  return http11 || hasOption(connection, "keep-alive");
}

/** True when the list `connection` has `option`; both in any case (RFC 9110 7.6.1). */
export function hasOption(connection: string, option: string): boolean {
  return connection.toLowerCase().split(",").some((each) => each.trim() === option);
}
