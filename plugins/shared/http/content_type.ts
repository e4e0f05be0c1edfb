/**
 * The Content-Type that a Response made of a string has by Fetch, where the runtime leaves it out.
 *
 * @module
 */

/**
 * Bun gives `new Response("text")` no Content-Type; its own server adds one, knowing what the body
 * was made of. Without one a browser guesses, and takes text that looks like HTML for HTML.
 */
const stringsAreUntyped = !new Response("text").headers.has("content-type");

const SHORT_BYTES = 1024;

/**
 * The type that Fetch sets for a string, if `content`, the beginning of a body without a type, may
 * be one; empty otherwise. Bytes that happen to be UTF-8 are taken for text too.
 */
export function impliedContentType(content: string | Uint8Array): string {
  if (!stringsAreUntyped || content.length === 0) return "";
  return typeof content === "string" || isAscii(content) || beginsUtf8(content)
    ? "text/plain;charset=UTF-8"
    : "";
}

/** Short texts mostly are, and a decoder costs more than looking at their bytes. */
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
