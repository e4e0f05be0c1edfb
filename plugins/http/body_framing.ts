/**
 * The length of a request's body (RFC 9112 6.3). Anything that two servers could interpret differently is
 * refused.
 *
 * @module
 */
import { badRequest, HttpRefusal } from "../shared/http/refusal.ts";
import { parseContentLength } from "../shared/http/content_length.ts";
import type { RequestHead } from "../shared/http/request_head.ts";

/** The body's length in bytes (0: there is no body), or `"chunked"`. */
export type BodyFraming = number | "chunked";

/** Determines the framing of the body from the head. */
export function bodyFraming(head: RequestHead): BodyFraming | HttpRefusal {
  const { transferEncoding, contentLength } = head.known;
  if (transferEncoding !== undefined) return codedFraming(head, transferEncoding);
  if (contentLength === undefined) return 0;
  return parseContentLength(contentLength) ?? badRequest("the Content-Length is not a number");
}

function codedFraming(head: RequestHead, transferEncoding: string): BodyFraming | HttpRefusal {
  // RFC 9112 6.1: such a message may have been forwarded by a recipient that does not know chunked.
  if (!head.http11) return badRequest("Transfer-Encoding in a request of HTTP/1.0");
  if (head.known.contentLength !== undefined) {
    // RFC 9112 6.3: may be an attempt at request smuggling.
    return badRequest("both Transfer-Encoding and Content-Length");
  }
  const codings = transferEncoding.toLowerCase();
  if (codings === "chunked") return "chunked";
  if (!/^[^,]+(,[^,]+)*,[ \t]*chunked$/.test(codings)) {
    return badRequest("the last transfer coding is not chunked"); // RFC 9112 6.3
  }
  const [, ...again] = codings.split(",").filter((coding) => coding.trim() === "chunked");
  if (again.length > 0) return badRequest("chunked more than once"); // RFC 9112 7.1
  return new HttpRefusal(501, "the only transfer coding of this server is chunked"); // RFC 9112 6.1
}
