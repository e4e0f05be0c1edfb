/**
 * Content-Encoding of responses that fetch() has decoded.
 *
 * A Response of fetch() keeps the fields of the message, but its body is decoded (Fetch,
 * HTTP-network fetch, "handle content codings"). With these fields, the client would decode it
 * again and expect a different length.
 *
 * @module
 */

/** Magic numbers of codings; `br` has none, and `deflate` no reliable one. */
const BEGINNINGS: Readonly<Record<string, readonly number[]>> = {
  "gzip": [0x1f, 0x8b],
  "x-gzip": [0x1f, 0x8b],
  "zstd": [0x28, 0xb5, 0x2f, 0xfd],
};

/** Codings that runtimes decode. */
const DECODABLE = new Set(["gzip", "x-gzip", "deflate", "br", "zstd"]);

/**
 * Whether the content of `response`, which starts with `data`, is no longer coded as `contentEncoding`
 * says; false without Content-Encoding.
 */
export function isDecodedContent(
  response: Response,
  contentEncoding: string | undefined,
  data: Uint8Array,
): boolean {
  // Only responses of fetch() have a URL.
  return contentEncoding !== undefined && isDecoded(contentEncoding, data, response.url !== "");
}

/**
 * Whether content that starts with `data` is no longer coded as `contentEncoding` says. `isFetched`: the
 * Response comes from fetch(); for others, only a missing magic number counts.
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

/** Whether `data` begins with a header of zlib (RFC 1950 2.2). */
function beginsZlib(data: Uint8Array): boolean {
  return (data[0]! & 0x0f) === 8 && ((data[0]! << 8) + (data[1] ?? 0)) % 31 === 0;
}
