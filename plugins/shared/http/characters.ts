/**
 * Character classes of RFC 9110 and RFC 9112 as tables of 256 flags, and ISO 8859-1 text.
 *
 * @module
 */

/** Horizontal tab. */
export const HTAB = 0x09;
/** Line feed. */
export const LF = 0x0a;
/** Carriage return. */
export const CR = 0x0d;
/** Space. */
export const SP = 0x20;

const LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** `tchar`, the characters of methods and field names (RFC 9110 5.6.2). */
export const TOKEN: Uint8Array = flags(`!#$%&'*+-.^_\`|~${LETTERS_AND_DIGITS}`);

/** Field values: `VCHAR`, `obs-text`, space and tab (RFC 9110 5.5). */
export const FIELD_VALUE: Uint8Array = flags("\t", range(0x20, 0x7e), range(0x80, 0xff));

/**
 * Characters of a request-target: visible ASCII (RFC 9112 3.2) without "#", which ends a URL, and "\", which
 * URL parsers treat as "/".
 */
export const TARGET: Uint8Array = flags(range(0x21, 0x7e).replace("#", "").replace("\\", ""));

/** Decodes `bytes[start..end)` as ASCII, or as ISO 8859-1 if `ascii` is false. */
export function textOf(bytes: Uint8Array, start: number, end: number, ascii: boolean): string {
  const part = bytes.subarray(start, end);
  return ascii ? decoder.decode(part) : textOfLatin1(part);
}

/** Encodes `text` as ISO 8859-1 into `target` at `at`; returns the end. */
export function putText(target: Uint8Array, at: number, text: string): number {
  const { length } = text;
  if (at === 0) {
    // Faster, if all characters are ASCII.
    const { read, written } = encoder.encodeInto(text, target);
    if (read === length && written === length) return length;
  }
  for (let i = 0; i < length; i++) target[at + i] = text.charCodeAt(i);
  return at + length;
}

/** Encodes `text` as ISO 8859-1. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  putText(bytes, 0, text);
  return bytes;
}

/** Longer strings are encoded by TextEncoder. */
const MAX_SHORT = 1024;

/** Whether `text` is short and ASCII, so that it has one byte per character. */
export function isShortAscii(text: string): boolean {
  if (text.length > MAX_SHORT) return false;
  let bits = 0;
  for (let at = 0; at < text.length; at++) bits |= text.charCodeAt(at);
  return bits < 0x80;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

function textOfLatin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function flags(...characters: string[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters.join("")) table[character.charCodeAt(0)] = 1;
  return table;
}

function range(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, i) => String.fromCharCode(first + i)).join(
    "",
  );
}
