/**
 * Errors of a TLS connection that are the peer's doing.
 *
 * @module
 */
import { messageOf } from "../../../core/api/error_text.ts";
import { PeerFaultError, TcpError } from "../../../core/api/errors.ts";

/** RFC 8446 6.1: without close_notify, anybody may have ended the connection. */
export function truncated(): TcpError {
  const what = "the peer ended without close_notify: what came before may be cut short";
  return new PeerFaultError(what);
}

/** The client has not waited for the end of the handshake. */
export function endedEarly(): TcpError {
  return new PeerFaultError("the connection ended during the handshake");
}

/** The peer sent an alert, or something that is not TLS. */
export function brokenBy(error: unknown): TcpError {
  if (error instanceof TcpError) return error;
  return new PeerFaultError(messageOf(error), { cause: error });
}
