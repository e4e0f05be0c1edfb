/**
 * Empty lines before a request (RFC 9112 2.2).
 *
 * @module
 */

/**
 * Maximum number of empty lines ignored. The RFC asks servers to ignore at least one: some clients
 * send CRLF after a body without counting it.
 */
export const MAX_EMPTY_LINES = 4;
