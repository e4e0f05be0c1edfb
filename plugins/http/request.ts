/**
 * The Request that an application gets.
 *
 * @module
 */
import type { RequestHead } from "./request_head.ts";
import type { RequestBody } from "./request_body.ts";
import { badRequest, Refusal } from "./refusal.ts";

/**
 * A Request whose `signal` is made when somebody asks for it: most applications never do, and on
 * Deno one costs as much as the rest of the Request.
 */
export class HttpRequest extends Request {
  #controller: AbortController | undefined;
  #gone: { reason: unknown } | undefined;

  /** Aborted when the client goes away before it has the whole response. */
  override get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#gone) this.#controller.abort(this.#gone.reason);
    }
    return this.#controller.signal;
  }

  /** Says that the client of `request` has gone away. */
  static abort(request: HttpRequest, reason: unknown): void {
    request.#gone = { reason };
    request.#controller?.abort(reason);
  }
}

/** What a request may carry: bytes that are there already, or a body still to be read. */
export type RequestContent = Uint8Array<ArrayBuffer> | RequestBody | undefined;

/** Makes the Request of `head`; a refusal where Fetch has no such Request. */
export function createRequest(
  head: RequestHead,
  url: string,
  content: RequestContent,
): HttpRequest | Refusal {
  const { method, target, fields } = head;
  try {
    const request = new HttpRequest(url, requestInit(method, content));
    // Fetch makes "get" GET, and Bun makes GET of what it does not know.
    if (request.method !== method) return new Refusal(501, "this server does not know the method");
    const { headers } = request;
    for (let i = 0; i < fields.length; i += 2) headers.append(fields[i]!, fields[i + 1]!);
    if (!target.startsWith("/")) headers.set("host", new URL(url).host); // RFC 9112 3.2.2
    return request;
  } catch {
    return badRequest("the request-target and Host do not make a URL");
  }
}

function requestInit(method: string, content: RequestContent): RequestInit | undefined {
  // Fetch allows no body with GET and HEAD; the connection reads over it.
  if (method === "GET") return undefined; // Reading init takes either runtime longer than the rest.
  if (content === undefined || method === "HEAD") return { method };
  if (content instanceof Uint8Array) return { method, body: content };
  // Older type libraries lack `duplex`, which a streamed body needs.
  return { method, body: content.stream(), duplex: "half" } as RequestInit;
}
