/**
 * The static table of HPACK (RFC 7541 Appendix A).
 *
 * @module
 */

/** The names of the entries, 61 from index 1 on. */
export const STATIC_NAMES: readonly string[] = [
  "",
  ":authority",
  ":method",
  ":method",
  ":path",
  ":path",
  ":scheme",
  ":scheme",
  ":status",
  ":status",
  ":status",
  ":status",
  ":status",
  ":status",
  ":status",
  "accept-charset",
  "accept-encoding",
  "accept-language",
  "accept-ranges",
  "accept",
  "access-control-allow-origin",
  "age",
  "allow",
  "authorization",
  "cache-control",
  "content-disposition",
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-range",
  "content-type",
  "cookie",
  "date",
  "etag",
  "expect",
  "expires",
  "from",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "link",
  "location",
  "max-forwards",
  "proxy-authenticate",
  "proxy-authorization",
  "range",
  "referer",
  "refresh",
  "retry-after",
  "server",
  "set-cookie",
  "strict-transport-security",
  "transfer-encoding",
  "user-agent",
  "vary",
  "via",
  "www-authenticate",
];

/** Number of entries; the indices of the dynamic table follow (RFC 7541 2.3.3). */
export const STATIC_LENGTH = 61;

/** The values of the entries that have one. */
const VALUES: Readonly<Record<number, string>> = {
  2: "GET",
  3: "POST",
  4: "/",
  5: "/index.html",
  6: "http",
  7: "https",
  8: "200",
  9: "204",
  10: "206",
  11: "304",
  12: "400",
  13: "404",
  14: "500",
  16: "gzip, deflate",
};

/** The values, in the order of {@link STATIC_NAMES}. */
export const STATIC_VALUES: readonly string[] = STATIC_NAMES.map((_, index) => VALUES[index] ?? "");

/** The index of the first entry with each name. */
export const STATIC_INDEX: ReadonlyMap<string, number> = firstOfEach();

function firstOfEach(): ReadonlyMap<string, number> {
  const first = new Map<string, number>();
  for (let index = STATIC_LENGTH; index > 0; index--) first.set(STATIC_NAMES[index]!, index);
  return first;
}
