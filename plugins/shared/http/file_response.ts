/**
 * Responses made of a file of the runtime, such as `Bun.file(path)`: they have a length, and a
 * request for a byte range gets that range (RFC 9110 14), as `Bun.serve` answers.
 *
 * @module
 */
import { parseRange } from "./byte_range.ts";
import { fetchPlatform } from "./fetch_platform.ts";
import type { RequestHead } from "./request_head.ts";

/** `response`, or the requested range of it if the platform knows that it is made of a file. */
export function withFileLength(
  response: Response,
  { method, fields }: Pick<RequestHead, "method" | "fields">,
): Response {
  const file = fetchPlatform().fileOf?.(response);
  if (file === undefined) return response;
  const { size } = file;
  const { headers, status } = response;
  // A part of an encoded file does not show whether it is still encoded.
  const hasRanges = status === 200 && !headers.has("content-encoding");
  if (hasRanges) headers.set("accept-ranges", "bytes");
  headers.set("content-length", String(size));
  const isRangeRequested = hasRanges && method === "GET" && isUnchanged(fields, headers);
  const range = isRangeRequested ? parseRange(valueOf(fields, "range"), size) : undefined;
  if (range === undefined) return response;
  if (range === "unsatisfiable") {
    const rangeFields = { "accept-ranges": "bytes", "content-range": `bytes */${size}` };
    return new Response(null, { status: 416, headers: rangeFields });
  }
  const { start, end } = range;
  headers.set("content-length", String(end - start));
  headers.set("content-range", `bytes ${start}-${end - 1}/${size}`);
  return new Response(file.slice(start, end), { status: 206, headers });
}

/** Whether If-Range, if there is one, names the current file (RFC 9110 13.1.5). */
function isUnchanged(fields: readonly string[], headers: Headers): boolean {
  const ifRange = valueOf(fields, "if-range");
  if (ifRange === null) return true;
  // A weak entity tag never matches; a date has to be the same text that was sent.
  const current = ifRange.startsWith('"') ? headers.get("etag") : headers.get("last-modified");
  return ifRange === current;
}

/** The value of a field; `null` if it is absent or repeated. */
function valueOf(fields: readonly string[], name: string): string | null {
  let value: string | null = null;
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at]!.toLowerCase() !== name) continue;
    if (value !== null) return null;
    value = fields[at + 1]!;
  }
  return value;
}
