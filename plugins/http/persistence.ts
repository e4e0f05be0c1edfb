/**
 * Persistence of connections (RFC 9112 9.3).
 *
 * @module
 */
import type { RequestHead } from "../shared/http/request_head.ts";

/** Whether the client wants to keep the connection: the default in HTTP/1.1, not in HTTP/1.0. */
export function wantsKeepAlive({ http11, known: { connection } }: RequestHead): boolean {
  if (connection === undefined) return http11;
  if (hasOption(connection, "close")) return false;
  return http11 || hasOption(connection, "keep-alive");
}

/** Whether the list `connection` contains `option`, in any case (RFC 9110 7.6.1). */
export function hasOption(connection: string, option: string): boolean {
  return connection.toLowerCase().split(",").some((each) => each.trim() === option);
}
