/**
 * Content-Encoding of what fetch() has decoded.
 *
 * A Response of fetch() keeps the fields of the message, and its body is what the codings covered
 * (Fetch, HTTP-network fetch, "handle content codings"): sent as it is, the client would decode it
 * again, and find another length.
 *
 * @module
 */

/** How coded content begins; `deflate` and `br` cannot be told in general. */
const BEGINNINGS: Readonly<Record<string, readonly number[]>> = {
  "gzip": [0x1f, 0x8b],
  "x-gzip": [0x1f, 0x8b],
  "zstd": [0x28, 0xb5, 0x2f, 0xfd],
};

/** Those that runtimes decode. */
const DECODABLE = new Set(["gzip", "x-gzip", "deflate", "br", "zstd"]);

/**
 * True where `contentEncoding` is not true of content that begins with `data`: it is not coded any
 * more. `isFetched`: the Response is one of fetch(); of others only what is certain counts.
 */
export function isDecoded(contentEncoding: string, data: Uint8Array, isFetched: boolean): boolean {
  const outermost = contentEncoding.split(",").at(-1)!.trim().toLowerCase();
  if (data.length === 0) return isFetched && DECODABLE.has(outermost);
  const beginning = BEGINNINGS[outermost];
  if (beginning !== undefined) {
    return beginning.some((byte, at) => at < data.length && data[at] !== byte);
  }
  if (!isFetched || !DECODABLE.has(outermost)) return false;
  return outermost === "br" || !beginsZlib(data);
}

/** RFC 1950 2.2 */
function beginsZlib(data: Uint8Array): boolean {
  return (data[0]! & 0x0f) === 8 && ((data[0]! << 8) + (data[1] ?? 0)) % 31 === 0;
}
