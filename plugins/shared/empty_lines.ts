/**
 * Empty lines before a request (RFC 9112 2.2).
 *
 * @module
 */

/**
 * Most empty lines that are ignored. The RFC asks for at least one: some clients send CRLF after a body
 * without counting it.
 */
export const MAX_EMPTY_LINES = 4;
