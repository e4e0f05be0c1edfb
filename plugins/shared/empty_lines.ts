/**
 * Empty lines before a request (RFC 9112 2.2).
 *
 * @module
 */

/**
 * So many are read over: the RFC asks for one at least, which clients have sent behind a body that
 * they counted wrong.
 */
export const MAX_EMPTY_LINES = 4;
