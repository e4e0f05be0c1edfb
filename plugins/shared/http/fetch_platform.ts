/**
 * The operations of a runtime's Fetch that the HTTP servers use.
 *
 * {@link STANDARD_PLATFORM} uses only what the Fetch specification defines, so it works everywhere,
 * including browsers. `adapters/runtime/fetch` registers a faster platform for Deno and Bun, which
 * relies on behaviour of these runtimes beyond the specification: `docs/architecture.md` says what
 * it assumes, and what happens if a runtime changes.
 *
 * @module
 */
import { HttpRequest } from "./http_request.ts";
import type { RequestHead } from "./request_head.ts";

/** How Requests are made and Responses are read. */
export interface FetchPlatform {
  /**
   * Makes a Request; `fields` alternates names and values.
   *
   * @throws {TypeError} Fetch does not allow this Request.
   */
  createRequest(url: string, init: RequestInit | undefined, fields: readonly string[]): Request;
  /**
   * Makes a lazy Request for a GET or HEAD in origin form: the real Request is created on first use. `url` is as
   * `URL` writes it. Absent: the platform has no lazy Requests.
   */
  readonly createLazyRequest?: ((head: RequestHead, url: string) => Request) | undefined;
  /** Aborts the signal of a Request that this platform has made: its client has gone away. */
  abortRequest(request: Request, reason: unknown): void;
  /**
   * Takes the body of `response` without a stream, if it was made of text or bytes and has not been
   * read; after that it counts as read. `undefined`: there is no body, it may be a stream, or the
   * platform cannot tell.
   */
  takeWholeBody(response: Response): WholeBody | undefined;
  /**
   * The file that `response` was made of, such as `Bun.file(path)`, if its length is known and it has not been
   * read. Absent: the platform cannot tell.
   */
  readonly fileOf?: ((response: Response) => Blob | undefined) | undefined;
}

/** A body that is available as a whole. */
export type WholeBody = string | Uint8Array<ArrayBuffer> | LargeBody;

/** A large body, which has not been copied out of the Response yet. */
export interface LargeBody {
  /** Its length in bytes. */
  readonly length: number;
  /** Takes the bytes. */
  take(): Promise<Uint8Array<ArrayBuffer>>;
}

/** The platform that relies on the Fetch specification only. */
export const STANDARD_PLATFORM: FetchPlatform = {
  createRequest: HttpRequest.of,
  abortRequest: (request, reason) => HttpRequest.abort(request as HttpRequest, reason),
  takeWholeBody: () => undefined,
};

let current: FetchPlatform = STANDARD_PLATFORM;

/** The registered platform. */
export function fetchPlatform(): FetchPlatform {
  return current;
}

/** Registers the platform of this process, before the first request; returns the one before it. */
export function useFetchPlatform(platform: FetchPlatform): FetchPlatform {
  const before = current;
  current = platform;
  return before;
}

/** {@link FetchPlatform.takeWholeBody} of the registered platform. */
export function takeWholeBody(response: Response): WholeBody | undefined {
  return current.takeWholeBody(response);
}
