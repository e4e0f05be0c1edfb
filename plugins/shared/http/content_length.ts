/**
 * The value of Content-Length (RFC 9110 8.6).
 *
 * @module
 */

/** The number of bytes; `undefined` unless it is digits only and an exact JavaScript number. */
export function parseContentLength(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}
