/**
 * Why a request is not served.
 *
 * @module
 */
import { reasonPhrase } from "./status.ts";

/** A request that is answered with an error and the end of the connection. */
export class HttpRefusal {
  /** The status code of the answer (RFC 9110 15). */
  readonly status: number;
  /** One clause for people; it is the answer's body. */
  readonly reason: string;

  /** Makes a refusal; a value, not an error: what a peer sends is never thrown. */
  constructor(status: number, reason: string) {
    this.status = status;
    this.reason = reason;
  }
}

/** 400: the bytes are not a request (RFC 9112). */
export function badRequest(reason: string): HttpRefusal {
  return new HttpRefusal(400, reason);
}

/** 400: the client has ended its side before the end of the body (RFC 9112 8). */
export function endedWithinBody(): HttpRefusal {
  return badRequest("the connection ended within the request body");
}

/** 413 (RFC 9110 15.5.14). */
export function bodyTooLarge(maxBodyBytes: number): HttpRefusal {
  return new HttpRefusal(413, `the request body is longer than ${maxBodyBytes} bytes`);
}

/** Why a request is aborted when its client ends the connection: as Fetch's own aborts. */
export function clientGone(): DOMException {
  return new DOMException("The client has gone away", "AbortError");
}

/** The answer of a refusal. */
export function responseOf({ status, reason }: HttpRefusal): Response {
  return new Response(`${status} ${reasonPhrase(status)}: ${reason}\n`, { status });
}

/** How the body of a request failed, as the application that reads it sees it. */
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

  /** What the client gets. Hono's error handler takes it from here, without an entry in its log. */
  getResponse(): Response {
    return responseOf({ status: this.status, reason: this.message });
  }
}
