/**
 * The Content-Type of a Response made from a string, for runtimes that omit it.
 *
 * @module
 */
import { PIECE_BYTES } from "./response_content.ts";

/**
 * Bun gives `new Response("text")` no Content-Type; its own server adds one, because it knows that the body is
 * a string. Without one, browsers guess, and treat text that looks like HTML as HTML.
 */
const stringsAreUntyped = !new Response("text").headers.has("content-type");

const SHORT_BYTES = 1024;

/**
 * The type of a body without one: what Fetch sets for a string, if `content` may be the beginning of a string;
 * otherwise an empty string. Bytes that are valid UTF-8 count as a string too.
 */
export function impliedContentType(content: string | Uint8Array): string {
  if (!stringsAreUntyped || content.length === 0) return "";
  return typeof content === "string" || isText(content) ? "text/plain;charset=UTF-8" : "";
}

/** Checks only the beginning of long content. */
function isText(content: Uint8Array): boolean {
  const beginning = content.length > PIECE_BYTES ? content.subarray(0, PIECE_BYTES) : content;
  return isAscii(beginning) || beginsUtf8(beginning);
}

/** Most short texts are ASCII, and checking their bytes costs less than a decoder. */
function isAscii(content: Uint8Array): boolean {
  if (content.length > SHORT_BYTES) return false;
  let bits = 0;
  for (let at = 0; at < content.length; at++) bits |= content[at]!;
  return bits < 0x80;
}

function beginsUtf8(content: Uint8Array): boolean {
  try {
    // The end may cut a character in two.
    new TextDecoder("utf-8", { fatal: true }).decode(content, { stream: true });
    return true;
  } catch {
    return false;
  }
}
