/**
 * Bodies that are known as a whole, read without a stream.
 *
 * @module
 */
import { type RememberedBytes, takeRemembered } from "./remembered_text.ts";
import { takeFromSlot } from "./response_slot.ts";

/**
 * The body of `response` where it was made of text or bytes and nobody has read it, which it counts
 * as from here on; `undefined` where there is none, where it may be a stream, and where nobody knows.
 */
export const takeWholeBody: (
  response: Response,
) => string | Uint8Array<ArrayBuffer> | RememberedBytes | undefined = takeFromSlot ??
  takeRemembered;
