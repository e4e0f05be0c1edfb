/**
 * Formats status line and fields of a response (RFC 9112 4, RFC 9110 6.6.1).
 *
 * @module
 */
import { parseContentLength } from "../shared/http/content_length.ts";
import { impliedContentType } from "../shared/http/content_type.ts";
import { FIELD_VALUE } from "../shared/http/characters.ts";
import { reasonPhrase } from "../shared/http/status.ts";

/** How the end of a response is marked (RFC 9112 6.3): by its length, by chunks or by the FIN. */
export type ResponseFraming = number | "chunked" | "close" | "none";

/** Fields set by the application, without those that the server determines. */
export interface ResponseFields {
  /** Field lines, each with CRLF. */
  readonly lines: string;
  /** The value of Content-Length; used only for a body of unknown length. */
  readonly contentLength: number | undefined;
  /** The value of Content-Encoding. */
  readonly contentEncoding: string | undefined;
  /** The application has set `Connection: close`. */
  readonly close: boolean;
  /** The application has set Date. */
  readonly date: boolean;
  /** The application has set Content-Type. */
  readonly contentType: boolean;
  /** The application has set Upgrade (RFC 9110 7.8). */
  readonly upgrade: boolean;
}

/**
 * Collects the fields of `headers`. The server determines framing and persistence; of Connection,
 * only `close` is respected.
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

/** {@link responseFields} of alternating names in lower case and values. */
export function preparedFields(list: readonly string[]): ResponseFields {
  let lines = "";
  for (let at = 0; at < list.length; at += 2) {
    if (list[at] !== "content-length") lines += `${list[at]}: ${list[at + 1]}\r\n`;
  }
  return { ...NO_FIELDS, lines };
}

const NO_FIELDS: ResponseFields = {
  lines: "",
  contentLength: undefined,
  contentEncoding: undefined,
  close: false,
  date: false,
  contentType: true,
  upgrade: false,
};

/** Adds the Content-Type of content that is, or begins with, `data`, unless the application set one. */
export function withImpliedType(
  fields: ResponseFields,
  data: string | Uint8Array,
): ResponseFields {
  const type = fields.contentType ? "" : impliedContentType(data);
  return type === "" ? fields : { ...fields, lines: `${fields.lines}content-type: ${type}\r\n` };
}

/** Removes Content-Encoding and Content-Length, for content that has been decoded. */
export function withoutEncoding(fields: ResponseFields): ResponseFields {
  const lines = fields.lines.replace(/^content-encoding: .*\r\n/m, "");
  return { ...fields, lines, contentEncoding: undefined, contentLength: undefined };
}

/** Fields added by the server. */
export interface ServerFields {
  /** The value of Date, unless the application has set one. */
  readonly date: string;
  /** How the content is delimited. */
  readonly framing: ResponseFraming;
  /** The value of Connection; empty: the field is omitted. */
  readonly connection: string;
}

/** The head of `response`, the empty line included. */
export function responseHead(
  { status, statusText }: Pick<Response, "status" | "statusText">,
  fields: ResponseFields,
  { date, framing, connection }: ServerFields,
): string {
  let head = statusLine(status, statusText) + fields.lines;
  if (!fields.date) head += `date: ${date}\r\n`;
  if (typeof framing === "number") head += `content-length: ${framing}\r\n`;
  else if (framing === "chunked") head += "transfer-encoding: chunked\r\n";
  // RFC 9110 7.8: Upgrade has to be listed in Connection.
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
 * `phrase` as it is sent; `undefined` if it is not ISO 8859-1, such as a phrase from another server
 * that Bun decoded as UTF-8. Clients ignore the phrase anyway (RFC 9112 4).
 *
 * @throws {TypeError} It has control characters, which Bun does not check.
 */
function checkedPhrase(phrase: string): string | undefined {
  let isLatin1 = true;
  for (let at = 0; at < phrase.length; at++) {
    const code = phrase.charCodeAt(at);
    if (code > 0xff) isLatin1 = false;
    else if (FIELD_VALUE[code] === 0) {
      throw new TypeError(
        `Response.statusText: expected text without control characters, got ${
          JSON.stringify(phrase)
        }`,
      );
    }
  }
  return isLatin1 ? phrase : undefined;
}
