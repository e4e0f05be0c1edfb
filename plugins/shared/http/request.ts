/**
 * From the head of a request to a Request.
 *
 * @module
 */
import { fetchPlatform } from "./fetch_platform.ts";
import { badRequest, HttpRefusal } from "./refusal.ts";
import type { RequestHead } from "./request_head.ts";

/** A body that is still to be read. */
export interface UnreadBody {
  /** The body as the application gets it. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** What a request may carry: bytes that are there already, or a body still to be read. */
export type RequestContent = Uint8Array<ArrayBuffer> | UnreadBody | undefined;

/** Makes the Request of `head`; a refusal where Fetch has no such Request. */
export function createRequest(
  head: RequestHead,
  url: string,
  content: RequestContent,
): Request | HttpRefusal {
  const { method, target, fields } = head;
  const isOrigin = target.startsWith("/");
  try {
    // Fetch allows no body with GET and HEAD; the connection reads over it.
    const platform = fetchPlatform();
    const { createLazyRequest } = platform;
    if (createLazyRequest && isOrigin && (method === "GET" || method === "HEAD")) {
      return createLazyRequest(head, url);
    }
    const request = platform.createRequest(url, requestInit(method, content), fields);
    // Fetch makes "get" GET, and Bun makes GET of what it does not know.
    if (request.method !== method) {
      return new HttpRefusal(501, "this server does not know the method");
    }
    if (!isOrigin) request.headers.set("host", new URL(url).host); // RFC 9112 3.2.2
    return request;
  } catch {
    return badRequest("the request-target and Host do not make a URL");
  }
}

/** Says that the client of `request`, which `createRequest` has made, has gone away. */
export function abortRequest(request: Request, reason: unknown): void {
  fetchPlatform().abortRequest(request, reason);
}

function requestInit(method: string, content: RequestContent): RequestInit | undefined {
  if (method === "GET") return undefined; // Reading init takes either runtime longer than the rest.
  if (content === undefined || method === "HEAD") return { method };
  if (content instanceof Uint8Array) return { method, body: content };
  // Older type libraries lack `duplex`, which a streamed body needs.
  return { method, body: content.stream(), duplex: "half" } as RequestInit;
}
