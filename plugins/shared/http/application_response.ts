/**
 * Responses of an application, which may be anything.
 *
 * @module
 */
import { HttpRefusal, responseOf } from "./refusal.ts";

/**
 * Whether a response can be sent: Response.error() has status 0, and below 200 only 101 is
 * possible.
 */
export function isSendable(response: unknown): response is Response {
  return response instanceof Response && (response.status >= 200 || response.status === 101);
}

/**
 * Returns `response`.
 *
 * @throws {TypeError} It is something else, or cannot be sent.
 */
export function checkSendable(response: unknown): Response {
  if (isSendable(response)) return response;
  throw new TypeError("The application's fetch() did not return a Response to send");
}

/** Cancels the body of a response that is not sent. */
export function discardResponse({ body }: Response): void {
  if (body && !body.locked) body.cancel().catch(() => {});
}

/** The answer to the client if the application failed. */
export function internalServerError(): Response {
  return responseOf(new HttpRefusal(500, "the application failed"));
}

/** The error of an application that answers 101 although nothing takes the connection over. */
export function upgradeMissing(): TypeError {
  return new TypeError(
    "The application answered 101 without an upgrade: for WebSockets, import upgradeWebSocket from " +
      "@berth/berth/plugins; those of hono/deno and hono/bun need the runtime's own server",
  );
}
