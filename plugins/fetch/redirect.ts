/**
 * Redirects (Fetch standard, HTTP-redirect fetch).
 *
 * @module
 */
import type { OutgoingRequest } from "./request.ts";
import type { ResponseHead } from "./response_head.ts";

const STATUSES = [301, 302, 303, 307, 308];
/** Fields of a body that is not sent again. */
const CONTENT_FIELDS = ["content-encoding", "content-language", "content-location", "content-type"];
/** Fields that are not sent to another server. */
const CREDENTIALS = ["authorization", "cookie", "host", "proxy-authorization"];

/** Whether the response redirects. */
export function isRedirect({ status, headers }: ResponseHead): boolean {
  return STATUSES.includes(status) && headers.has("location");
}

/**
 * The request that a redirect leads to.
 *
 * @throws {TypeError} This client cannot fetch the location, or the body cannot be sent again.
 */
export function redirected(request: OutgoingRequest, head: ResponseHead): OutgoingRequest {
  const location = head.headers.get("location")!;
  const url = URL.parse(location, request.url);
  if (url === null || url.protocol !== "http:") {
    throw new TypeError(`the redirect to ${JSON.stringify(location)} is not an http: URL`);
  }
  if (url.hash === "") url.hash = request.url.hash;
  const { status } = head;
  const { method } = request;
  const becomesGet = status === 303
    ? method !== "GET" && method !== "HEAD"
    : (status === 301 || status === 302) && method === "POST";
  const headers = new Headers(request.headers);
  if (url.origin !== request.url.origin) { for (const name of CREDENTIALS) headers.delete(name); }
  if (becomesGet) {
    for (const name of CONTENT_FIELDS) headers.delete(name);
    return { method: "GET", url, headers, content: undefined };
  }
  if (request.content instanceof ReadableStream) {
    throw new TypeError(
      `the redirect (${status}) requires the body to be sent again, but it was a stream`,
    );
  }
  return { method, url, headers, content: request.content };
}
