/**
 * Bodies of responses that are sent without a stream.
 *
 * @module
 */
import { fetchPlatform, type WholeBody } from "./fetch_platform.ts";

/**
 * The body of `response` if it was made of text or bytes and nobody has read it; from then on it counts
 * as read. `undefined`: there is no body, it may be a stream, or the platform cannot tell.
 */
export function takeWholeBody(response: Response): WholeBody | undefined {
  return fetchPlatform().takeWholeBody(response);
}
