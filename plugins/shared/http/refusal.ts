/**
 * Requests that are answered with an error.
 *
 * @module
 */
import { reasonPhrase } from "./status.ts";

/** Why a request is answered with an error, after which the connection is closed. */
export class HttpRefusal {
  /** The status code of the answer (RFC 9110 15). */
  readonly status: number;
  /** The reason, which is sent as the body. */
  readonly reason: string;

  /** Makes a value to return: input from a peer never causes an exception. */
  constructor(status: number, reason: string) {
    this.status = status;
    this.reason = reason;
  }
}

/** 400: the bytes are not a request (RFC 9112). */
export function badRequest(reason: string): HttpRefusal {
  return new HttpRefusal(400, reason);
}

/** 400: the client has closed its side before the end of the body (RFC 9112 8). */
export function endedWithinBody(): HttpRefusal {
  return badRequest("the connection ended within the request body");
}

/** 413 (RFC 9110 15.5.14). */
export function bodyTooLarge(maxBodyBytes: number): HttpRefusal {
  return new HttpRefusal(413, `the request body is longer than ${maxBodyBytes} bytes`);
}

/** The reason of `request.signal` when the client has gone away, like that of Fetch's own aborts. */
export function clientGone(): DOMException {
  return new DOMException("The client has gone away", "AbortError");
}

/** The response of a refusal. */
export function responseOf({ status, reason }: HttpRefusal): Response {
  return new Response(`${status} ${reasonPhrase(status)}: ${reason}\n`, { status });
}

/**
 * The error that an application gets when it reads a body that failed.
 *
 * @example
 * ```ts
 * import { http, RequestBodyError } from "@berth/berth/plugins";
 *
 * const plugin = http({
 *   async fetch(request: Request) {
 *     try {
 *       return new Response(await request.text());
 *     } catch (error) {
 *       if (!(error instanceof RequestBodyError)) throw error;
 *       return new Response("the body is incomplete\n", { status: 400 });
 *     }
 *   },
 * });
 * console.log(plugin.name);
 * ```
 */
export class RequestBodyError extends TypeError {
  /** Always `"RequestBodyError"`. */
  override readonly name = "RequestBodyError";
  /** The status code that the client gets: 400, 408 or 413. */
  readonly status: number;

  /** Makes the error of a refusal. */
  constructor(refusal: HttpRefusal) {
    super(refusal.reason);
    this.status = refusal.status;
  }

  /** The response for the client; Hono's error handler uses it, without a log entry. */
  getResponse(): Response {
    return responseOf({ status: this.status, reason: this.message });
  }
}
