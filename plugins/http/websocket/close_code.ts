/**
 * Close codes of WebSockets (RFC 6455 7.4).
 *
 * @module
 */

/** 1000: normal closure. */
export const NORMAL = 1000;
/** 1001: the server shuts down, or the peer does not answer. */
export const GOING_AWAY = 1001;
/** 1002: the peer violated the protocol. */
export const PROTOCOL_ERROR = 1002;
/** 1005: the peer's Close had no code; never sent. */
export const NO_STATUS = 1005;
/** 1006: the connection ended without Close; never sent. */
export const ABNORMAL = 1006;
/** 1007: text that is not UTF-8. */
export const INVALID_DATA = 1007;
/** 1009: a message above the limit. */
export const TOO_BIG = 1009;
/** 1011: the application failed. */
export const INTERNAL_ERROR = 1011;

/** Whether a code is allowed in a Close frame (RFC 6455 7.4.1, 7.4.2). */
export function maySend(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== NO_STATUS && code !== ABNORMAL;
}
