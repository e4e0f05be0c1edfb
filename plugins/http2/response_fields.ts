/**
 * The fields of a response (RFC 9113 8.2, 8.3.2).
 *
 * @module
 */
import { parseContentLength } from "../shared/http/content_length.ts";
import { impliedContentType } from "../shared/http/content_type.ts";

/** The fields set by the application, without those that the server determines. */
export interface ResponseFields {
  /** Alternating names and values. */
  readonly list: string[];
  /** Content-Length; used only for streams. */
  contentLength: number | undefined;
  /** The value of Content-Encoding. */
  contentEncoding: string | undefined;
  /** The application has set Date. */
  hasDate: boolean;
  /** The application has set Content-Type. */
  hasContentType: boolean;
}

/** Connection-specific fields (RFC 9113 8.2.2) and those of the WebSocket handshake (RFC 8441 5). */
const DROPPED: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "sec-websocket-accept",
  "transfer-encoding",
  "upgrade",
]);

/** Collects the fields of `headers`. */
export function responseFields(headers: Headers): ResponseFields {
  const fields: ResponseFields = {
    list: [],
    contentLength: undefined,
    contentEncoding: undefined,
    hasDate: false,
    hasContentType: false,
  };
  headers.forEach((value, name) => {
    if (name === "content-length") return fields.contentLength = parseContentLength(value);
    if (DROPPED.has(name)) return;
    if (name === "content-type") fields.hasContentType = true;
    else if (name === "date") fields.hasDate = true;
    else if (name === "content-encoding") fields.contentEncoding = value;
    fields.list.push(name, value);
  });
  return fields;
}

/** Adds the Content-Type of content that is, or begins with, `data`, unless the application set one. */
export function addImpliedType(fields: ResponseFields, data: string | Uint8Array): void {
  const type = fields.hasContentType ? "" : impliedContentType(data);
  if (type !== "") fields.list.push("content-type", type);
}

/** Removes the fields that are wrong if the content is not encoded after all. */
export function dropEncoding(fields: ResponseFields): void {
  fields.list.splice(fields.list.indexOf("content-encoding"), 2);
  fields.contentEncoding = fields.contentLength = undefined;
}
