/**
 * Status line and fields of a response, as text (RFC 9112 4, RFC 9110 6.6.1).
 *
 * @module
 */
import { parseContentLength } from "./body_framing.ts";
import { reasonPhrase } from "./status.ts";

/** How the client finds the end of a response (RFC 9112 6.3): its length, chunks or the FIN. */
export type ResponseFraming = number | "chunked" | "close" | "none";

/** What an application has set, without what the server decides itself. */
export interface ResponseFields {
  /** Field lines, each with its CRLF. */
  readonly lines: string;
  /** The length that it promises. */
  readonly contentLength: number | undefined;
  /** It asked for the end of the connection. */
  readonly close: boolean;
  /** It has a Date of its own. */
  readonly date: boolean;
  /** It has a Content-Type. */
  readonly contentType: boolean;
}

/**
 * Collects the fields of `headers`. How the response is framed and whether the connection persists
 * is the server's matter, except for the wish to close it.
 *
 * @throws {TypeError} Content-Length is not a number.
 */
export function responseFields(headers: Headers): ResponseFields {
  let lines = "";
  let contentLength: number | undefined;
  let close = false;
  let date = false;
  let contentType = false;
  headers.forEach((value, name) => {
    if (name === "content-length") return contentLength = checkedContentLength(value);
    if (name === "connection") return close = /(^|,)\s*close\s*(,|$)/i.test(value);
    if (name === "transfer-encoding" || name === "keep-alive") return;
    if (name === "date") date = true;
    else if (name === "content-type") contentType = true;
    lines += `${name}: ${value}\r\n`;
  });
  return { lines, contentLength, close, date, contentType };
}

/** What the server adds to an application's fields. */
export interface ServerFields {
  /** The value of Date, where the application has not set one. */
  readonly date: string;
  /** How the content is delimited. */
  readonly framing: ResponseFraming;
  /** The value of Connection; empty: there is none. */
  readonly connection: string;
}

/** The head of `response`, the empty line included. */
export function responseHead(
  response: Response,
  fields: ResponseFields,
  { date, framing, connection }: ServerFields,
): string {
  let head = statusLine(response.status, response.statusText) + fields.lines;
  if (!fields.date) head += `date: ${date}\r\n`;
  if (typeof framing === "number") head += `content-length: ${framing}\r\n`;
  else if (framing === "chunked") head += "transfer-encoding: chunked\r\n";
  if (connection !== "") head += `connection: ${connection}\r\n`;
  return head + "\r\n";
}

function statusLine(status: number, phrase: string): string {
  return `HTTP/1.1 ${status} ${phrase || reasonPhrase(status)}\r\n`;
}

function checkedContentLength(value: string): number {
  const length = parseContentLength(value);
  if (length === undefined) throw new TypeError(`The response has content-length: ${value}`);
  return length;
}
