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

const decoder = () => new TextDecoder("utf-8", { fatal: true });

/**
 * The type that Fetch sets for a string, if `content`, the beginning of a body without a type, may
 * be one; empty otherwise. Bytes that happen to be UTF-8 are taken for text too.
 */
export function impliedContentType(content: Uint8Array): string {
  if (!stringsAreUntyped || content.length === 0) return "";
  try {
    // The end may cut a character in two.
    decoder().decode(content, { stream: true });
    return "text/plain;charset=UTF-8";
  } catch {
    return "";
  }
}
