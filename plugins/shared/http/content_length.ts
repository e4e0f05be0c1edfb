/**
 * The value of Content-Length (RFC 9110 8.6).
 *
 * @module
 */

/** The number of bytes; `undefined` unless `text` is 1 to 15 digits, which a JavaScript number represents exactly. */
export function parseContentLength(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}
