/**
 * The value of Content-Length (RFC 9110 8.6).
 *
 * @module
 */

/** A number of bytes, or `undefined`: digits only, and exact as a JavaScript number. */
export function parseContentLength(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}
