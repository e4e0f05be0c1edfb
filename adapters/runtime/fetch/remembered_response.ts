/**
 * A Response that remembers the text it was made of.
 *
 * @module
 */
import type { LargeBody } from "../../../plugins/shared/http/fetch_platform.ts";
import { takeDenoBody } from "./deno_response_body.ts";

/** Up to this size a stream yields the bytes in one chunk. */
const LARGE = 16_384;

const PlatformResponse: typeof Response = globalThis.Response;

/** A Response that keeps its text, the length of its bytes, or its file. */
class RememberingResponse extends PlatformResponse {
  #text: string | undefined;
  #byteLength: number | undefined;
  #file: Blob | undefined;
  #isTaken = false;

  constructor(body?: BodyInit | null, init?: ResponseInit) {
    super(body, init);
    if (typeof body === "string") this.#text = body;
    else if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) {
      this.#byteLength = body.byteLength;
    } else if (body instanceof Blob && isFile(body)) this.#file = body;
  }

  override get bodyUsed(): boolean {
    return this.#isTaken || super.bodyUsed;
  }

  /** Responses made by the platform are instances as well. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    const isOurs = this === RememberingResponse;
    return isOurs
      ? value instanceof PlatformResponse
      : Function.prototype[Symbol.hasInstance].call(this, value);
  }

  /** The file of `response`, if it has not been read. */
  static fileOf(response: object): Blob | undefined {
    return #file in response && !response.bodyUsed ? response.#file : undefined;
  }

  /**
   * The text of `response`, which counts as read from then on, or its bytes, which are still to be taken;
   * `undefined` if neither is known.
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
 * Whether `blob` is a file of known length. The size of a file that does not exist is 0, as is that of many
 * in `/proc`; that of a device is infinite.
 */
function isFile(blob: Blob): boolean {
  return "name" in blob && typeof blob.name === "string" && blob.size > 0 &&
    Number.isSafeInteger(blob.size);
}

/**
 * Makes `new Response(text)` keep its text, and `new Response(bytes)` the number of its bytes, so that
 * `http` sends either without a stream, and `new Response(Bun.file(path))` its file, so that `http` sends
 * its length and answers `Range`. On Bun, where Fetch cannot tell text from a stream, small
 * responses then take half the time, and a large body is not read in pieces; on Deno nothing changes.
 *
 * Replaces `globalThis.Response` with a subclass that otherwise behaves the same. The service calls this when
 * it starts; a program that uses berth as a library calls it once, before the application is loaded.
 *
 * @example
 * ```ts
 * import { rememberResponseText } from "@berth/berth/plugins";
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

/** Takes the body of a Response made after {@link rememberResponseText}; see `FetchPlatform.takeWholeBody`. */
export const takeRememberedBody: (response: object) => string | LargeBody | undefined =
  RememberingResponse.contentOf;

/** The file of a Response made after {@link rememberResponseText}; see `FetchPlatform.fileOf`. */
export const rememberedFile: (response: object) => Blob | undefined = RememberingResponse.fileOf;
