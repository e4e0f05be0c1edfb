/**
 * Responses that know the text they were made of.
 *
 * @module
 */
import type { LargeBody } from "../../../plugins/shared/http/fetch_platform.ts";
import { takeDenoBody } from "./deno_response_body.ts";

/** Fewer bytes come out of the stream in one chunk. */
const LARGE = 16_384;

const PlatformResponse: typeof Response = globalThis.Response;

/** A Response of the platform's that keeps its text at hand, and knows whether it is of bytes. */
class RememberingResponse extends PlatformResponse {
  #text: string | undefined;
  #byteLength: number | undefined;
  #isTaken = false;

  constructor(body?: BodyInit | null, init?: ResponseInit) {
    super(body, init);
    if (typeof body === "string") this.#text = body;
    else if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) {
      this.#byteLength = body.byteLength;
    }
  }

  override get bodyUsed(): boolean {
    return this.#isTaken || super.bodyUsed;
  }

  /** What the platform makes is a Response as well. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    const isOurs = this === RememberingResponse;
    return isOurs
      ? value instanceof PlatformResponse
      : Function.prototype[Symbol.hasInstance].call(this, value);
  }

  /**
   * The text of `response`, which counts as read from here on, or its bytes, which are still to be
   * taken; `undefined` where neither is known.
   */
  static contentOf(response: object): string | LargeBody | undefined {
    if (!(#text in response) || response.bodyUsed) return undefined;
    if (response.#text !== undefined) {
      response.#isTaken = true;
      return response.#text;
    }
    const length = response.#byteLength;
    if (length === undefined || length <= LARGE) return undefined;
    return { length, take: async () => new Uint8Array(await response.arrayBuffer()) };
  }
}

/**
 * Makes `new Response(text)` keep its text, and `new Response(bytes)` the number of its bytes, so that
 * `http` sends either without a stream. On Bun, where Fetch cannot tell text from a stream, small
 * responses then take half the time, and a large body is not read in pieces; on Deno nothing changes.
 *
 * It replaces `globalThis.Response` by a subclass that is the same in everything else. The service
 * does so when it starts; a program that uses berth as a library calls it once, before the application
 * is loaded.
 *
 * @example
 * ```ts
 * import { rememberResponseText } from "@berth/berth";
 *
 * rememberResponseText();
 * const response = new Response("ahoy");
 * if (!(response instanceof Response) || await response.text() !== "ahoy") throw new Error();
 * ```
 */
export function rememberResponseText(): void {
  if (takeDenoBody !== undefined) return;
  Object.defineProperty(RememberingResponse, "name", { value: "Response", configurable: true });
  globalThis.Response = RememberingResponse;
}

/** What {@link rememberResponseText} was for. */
export const takeRememberedBody: (response: object) => string | LargeBody | undefined =
  RememberingResponse.contentOf;
