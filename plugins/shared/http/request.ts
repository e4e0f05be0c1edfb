/**
 * Makes the Request of a request head.
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

/** The content of a request: bytes that have arrived, or a body still to be read. */
export type RequestContent = Uint8Array<ArrayBuffer> | UnreadBody | undefined;

/** Makes the Request of `head`; a refusal if Fetch does not allow it. */
export function createRequest(
  head: RequestHead,
  url: string,
  content: RequestContent,
): Request | HttpRefusal {
  const { method, target, fields } = head;
  const isOrigin = target.startsWith("/");
  try {
    // Fetch allows no body with GET and HEAD; the connection discards it.
    const platform = fetchPlatform();
    const { createLazyRequest } = platform;
    if (createLazyRequest && isOrigin && (method === "GET" || method === "HEAD")) {
      return createLazyRequest(head, url);
    }
    const request = platform.createRequest(url, requestInit(method, content), fields);
    // Fetch changes "get" to "GET", and Bun any unknown method to "GET".
    if (request.method !== method) {
      return new HttpRefusal(501, "this server does not know the method");
    }
    if (!isOrigin) request.headers.set("host", new URL(url).host); // RFC 9112 3.2.2
    return request;
  } catch {
    return badRequest("the request-target and Host do not make a URL");
  }
}

/** Aborts a request of {@link createRequest}: its client has gone away. */
export function abortRequest(request: Request, reason: unknown): void {
  fetchPlatform().abortRequest(request, reason);
}

function requestInit(method: string, content: RequestContent): RequestInit | undefined {
  if (method === "GET") return undefined; // Reading init takes longer than the rest on either runtime.
  if (content === undefined || method === "HEAD") return { method };
  if (content instanceof Uint8Array) return { method, body: content };
  // Older type libraries lack `duplex`, which a streamed body needs.
  return { method, body: content.stream(), duplex: "half" } as RequestInit;
}
