/**
 * Status line and fields of a response, as text (RFC 9112 4, RFC 9110 6.6.1).
 *
 * @module
 */
import { parseContentLength } from "../shared/http/content_length.ts";
import { FIELD_VALUE } from "../shared/http/characters.ts";
import { reasonPhrase } from "../shared/http/status.ts";

/** How the client finds the end of a response (RFC 9112 6.3): its length, chunks or the FIN. */
export type ResponseFraming = number | "chunked" | "close" | "none";

/** What an application has set, without what the server decides itself. */
export interface ResponseFields {
  /** Field lines, each with its CRLF. */
  readonly lines: string;
  /** The length that it promises; only of a body whose end is not in sight it counts. */
  readonly contentLength: number | undefined;
  /** The value of Content-Encoding. */
  readonly contentEncoding: string | undefined;
  /** It asked for the end of the connection. */
  readonly close: boolean;
  /** It has a Date of its own. */
  readonly date: boolean;
  /** It has a Content-Type. */
  readonly contentType: boolean;
  /** It has an Upgrade (RFC 9110 7.8). */
  readonly upgrade: boolean;
}

/**
 * Collects the fields of `headers`. How the response is framed and whether the connection persists
 * is the server's matter, except for the wish to close it.
 */
export function responseFields(headers: Headers): ResponseFields {
  let lines = "";
  let contentLength: number | undefined;
  let close = false;
  let date = false;
  let contentType = false;
  let contentEncoding: string | undefined;
  let upgrade = false;
  headers.forEach((value, name) => {
    if (name === "content-length") return contentLength = parseContentLength(value);
    if (name === "connection") return close = /(^|,)\s*close\s*(,|$)/i.test(value);
    if (name === "transfer-encoding" || name === "keep-alive") return;
    if (name === "date") date = true;
    else if (name === "content-type") contentType = true;
    else if (name === "content-encoding") contentEncoding = value;
    else if (name === "upgrade") upgrade = true;
    lines += `${name}: ${value}\r\n`;
  });
  return { lines, contentLength, contentEncoding, close, date, contentType, upgrade };
}

/** `fields` of content that is not encoded after all, and so neither as long as it says. */
export function withoutEncoding(fields: ResponseFields): ResponseFields {
  const lines = fields.lines.replace(/^content-encoding: .*\r\n/m, "");
  return { ...fields, lines, contentEncoding: undefined, contentLength: undefined };
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
  // RFC 9110 7.8: who sends Upgrade says so in Connection.
  const options = fields.upgrade && connection !== "Upgrade"
    ? connection === "" ? "Upgrade" : `${connection}, Upgrade`
    : connection;
  if (options !== "") head += `connection: ${options}\r\n`;
  return head + "\r\n";
}

function statusLine(status: number, phrase: string): string {
  const registered = reasonPhrase(status);
  const sent = phrase === "" || phrase === registered ? registered : checkedPhrase(phrase);
  return `HTTP/1.1 ${status} ${sent ?? registered}\r\n`;
}

/**
 * `phrase` as it is sent; `undefined` where its characters are no bytes, as of the phrase of another
 * server that Bun has read as UTF-8: clients go by the status code (RFC 9112 4).
 *
 * @throws {TypeError} It has characters that no phrase and no field value has; Bun checks neither.
 */
function checkedPhrase(phrase: string): string | undefined {
  let isLatin1 = true;
  for (let at = 0; at < phrase.length; at++) {
    const code = phrase.charCodeAt(at);
    if (code > 0xff) isLatin1 = false;
    else if (FIELD_VALUE[code] === 0) {
      throw new TypeError(
        `The response has the statusText ${JSON.stringify(phrase)}: a control character is no text`,
      );
    }
  }
  return isLatin1 ? phrase : undefined;
}
