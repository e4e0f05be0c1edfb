/**
 * The head of a response (RFC 9112 4 and 5).
 *
 * @module
 */
import { FIELD_VALUE, TOKEN } from "../shared/http/characters.ts";
import { parseContentLength } from "../shared/http/content_length.ts";

/** A parsed head. */
export interface ResponseHead {
  readonly status: number;
  /** The reason phrase; empty if it has characters that a `Response` does not take. */
  readonly statusText: string;
  readonly headers: Headers;
}

/** The length of the body in bytes, or how its end is found (RFC 9112 6.3). */
export type BodyLength = number | "chunked" | "until-close";

/**
 * Parses a head, without the empty line at its end.
 *
 * @throws {TypeError} It is not the head of an HTTP/1 response.
 */
export function parseResponseHead(text: string): ResponseHead {
  const [first = "", ...lines] = text.split("\r\n");
  const parts = /^HTTP\/1\.\d ([1-9]\d\d)(?: (.*))?$/s.exec(first);
  if (parts === null) {
    throw new TypeError(
      `the server does not speak HTTP/1.1: ${JSON.stringify(first.slice(0, 60))}`,
    );
  }
  const [, status, reason = ""] = parts;
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    // `Headers` removes spaces and tabs around it.
    const value = line.slice(colon + 1);
    if (colon < 1 || !isAll(TOKEN, name) || !isAll(FIELD_VALUE, value)) {
      throw new TypeError(
        `the response has an invalid field: ${JSON.stringify(line.slice(0, 60))}`,
      );
    }
    headers.append(name, value);
  }
  return { status: Number(status), statusText: isAll(FIELD_VALUE, reason) ? reason : "", headers };
}

/**
 * The length of the body of a response to a request with `method`.
 *
 * @throws {TypeError} The fields contradict each other, or the coding is not known.
 */
export function bodyLength({ status, headers }: ResponseHead, method: string): BodyLength {
  if (method === "HEAD" || isNullBodyStatus(status)) return 0;
  const coding = headers.get("transfer-encoding");
  const lengths = headers.get("content-length");
  if (coding !== null) {
    if (lengths !== null) {
      throw new TypeError("the response has both Transfer-Encoding and Content-Length");
    }
    if (coding.toLowerCase() === "chunked") return "chunked";
    throw new TypeError(`the transfer coding ${JSON.stringify(coding)} is not known`);
  }
  if (lengths === null) return "until-close";
  // RFC 9110 8.6 permits a list of equal values, with spaces and tabs around them only.
  const values = lengths.split(",").map((one) => /^[ \t]*(\S+)[ \t]*$/.exec(one)?.[1] ?? "");
  const [length, ...others] = new Set(values);
  const parsed = others.length === 0 ? parseContentLength(length!) : undefined;
  if (parsed === undefined) {
    throw new TypeError(`the Content-Length ${JSON.stringify(lengths)} is not a number`);
  }
  return parsed;
}

/** Whether the Fetch standard gives a response of this status no body. */
export function isNullBodyStatus(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function isAll(table: Uint8Array, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (table[text.charCodeAt(at)] !== 1) return false;
  return true;
}
