/**
 * Errors of a TLS connection that the peer caused.
 *
 * @module
 */
import { messageOf } from "../../../core/api/error_text.ts";
import { PeerFaultError, TcpError } from "../../../core/api/errors.ts";

/** The error for an end without close_notify, which may be the work of an attacker (truncation, RFC 8446 6.1). */
export function truncated(): TcpError {
  const what = "the peer ended without close_notify: the data may be truncated";
  return new PeerFaultError(what);
}

/** The error for a client that closed the connection during the handshake. */
export function endedEarly(): TcpError {
  return new PeerFaultError("the connection ended during the handshake");
}

/** The error for a peer that sent an alert, or something that is not TLS. */
export function brokenBy(error: unknown): TcpError {
  if (error instanceof TcpError) return error;
  return new PeerFaultError(messageOf(error), { cause: error });
}
