/**
 * Makes the head of a request from the fields of a header block (RFC 9113 8.2, 8.3).
 *
 * @module
 */
import { FIELD_VALUE, HTAB, SP, TARGET, TOKEN } from "../shared/http/characters.ts";
import { parseContentLength } from "../shared/http/content_length.ts";
import { HttpRefusal } from "../shared/http/refusal.ts";
import {
  type KnownFields,
  noKnownFields,
  noteKnown,
  type RequestHead,
} from "../shared/http/request_head.ts";
import { MalformedRequest } from "./fault.ts";
import type { FieldSink } from "./hpack/decoder.ts";
import { entrySize } from "./hpack/dynamic_table.ts";

/** Limits of a head. */
export interface HeadLimits {
  /** Bytes of `:method` and `:path` together. */
  readonly maxRequestLineBytes: number;
  /** Bytes of the fields, counted as in RFC 9113 6.5.2: 32 more for each. */
  readonly maxHeaderBytes: number;
  /** Number of fields. */
  readonly maxHeaders: number;
}

/** The head of a request that came over HTTP/2. */
export interface Http2RequestHead extends RequestHead {
  /** `:protocol` of an extended CONNECT (RFC 8441 4). */
  readonly protocol: string | undefined;
  /** The value of Content-Length; -1 if absent. */
  readonly contentLength: number;
}

/** The head of a request that is refused, for example because it exceeds a limit. */
export class RefusedHead {
  /** Empty if unknown; a response to HEAD has no content. */
  readonly method: string;
  /** The request-target, for the log; empty if unknown. */
  readonly target: string;
  /** The answer. */
  readonly refusal: HttpRefusal;

  /** A head that is refused with `refusal`. */
  constructor(method: string, target: string, refusal: HttpRefusal) {
    this.method = method;
    this.target = target;
    this.refusal = refusal;
  }
}

/** The result of a header block. */
export type ParsedHead = Http2RequestHead | RefusedHead | MalformedRequest;

/** Fields that concern one connection of HTTP/1.1 only (RFC 9113 8.2.2). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** Collects the fields of header blocks, one after the other. */
export class RequestFields implements FieldSink {
  readonly #limits: HeadLimits;
  #method: string | undefined;
  #scheme: string | undefined;
  #path: string | undefined;
  #authority: string | undefined;
  #protocol: string | undefined;
  #fields: string[] = [];
  #known: KnownFields = noKnownFields();
  #size = 0;
  #malformed: string | undefined;

  /** Makes a sink for blocks within `limits`. */
  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** Bytes of all fields. */
  get size(): number {
    return this.#size;
  }

  /** @inheritdoc */
  field(name: string, value: string): void {
    this.#size += entrySize(name, value);
    const { maxHeaderBytes, maxHeaders } = this.#limits;
    // Fields beyond the limits are not stored, however often a block refers to a large table entry.
    if (this.#size > maxHeaderBytes || this.#fields.length >= 2 * maxHeaders + 2) return;
    this.#malformed ??= name.charCodeAt(0) === COLON
      ? this.#pseudoField(name, value)
      : this.#regularField(name, value);
  }

  /** The result of the block; prepares for the next one. */
  finish(): ParsedHead {
    const parsed = this.#parse();
    this.#method =
      this.#scheme =
      this.#path =
      this.#authority =
      this.#protocol =
        undefined;
    this.#fields = [];
    this.#known = noKnownFields();
    this.#size = 0;
    this.#malformed = undefined;
    return parsed;
  }

  #parse(): ParsedHead {
    const { maxRequestLineBytes, maxHeaderBytes, maxHeaders } = this.#limits;
    if (this.#size > maxHeaderBytes) {
      return this.#refuse(431, `the header fields are longer than ${maxHeaderBytes} bytes`);
    }
    if (this.#fields.length > 2 * maxHeaders) {
      return this.#refuse(431, `there are more than ${maxHeaders} header fields`);
    }
    const malformed = this.#malformed ?? this.#pseudoFault() ?? this.#authorityFault();
    if (malformed !== undefined) return new MalformedRequest(malformed);
    const method = this.#method!;
    const target = this.#path ?? this.#authority ?? "";
    if (method.length + target.length > maxRequestLineBytes) {
      return this.#refuse(414, `method and path are longer than ${maxRequestLineBytes} bytes`);
    }
    if (this.#scheme !== undefined && !/^https?$/i.test(this.#scheme)) {
      return this.#refuse(400, "the scheme is neither http nor https");
    }
    const { contentLength } = this.#known;
    const length = contentLength === undefined ? -1 : parseContentLength(contentLength);
    if (length === undefined) return new MalformedRequest("the Content-Length is not a number");
    return {
      method,
      target,
      http11: true,
      fields: this.#fields,
      known: this.#known,
      protocol: this.#protocol,
      contentLength: length,
    };
  }

  #refuse(status: number, reason: string): RefusedHead {
    return new RefusedHead(this.#method ?? "", this.#path ?? "", new HttpRefusal(status, reason));
  }

  #pseudoField(name: string, value: string): string | undefined {
    // RFC 9113 8.3: no pseudo-header field after a regular field, and none twice.
    if (this.#fields.length > 0) return "a pseudo-header field after a regular one";
    switch (name) {
      case ":method":
        if (this.#method !== undefined) return "more than one :method";
        this.#method = value;
        return consistsOf(TOKEN, value) ? undefined : "the :method is not a token";
      case ":scheme":
        if (this.#scheme !== undefined) return "more than one :scheme";
        this.#scheme = value;
        return;
      case ":path":
        if (this.#path !== undefined) return "more than one :path";
        this.#path = value;
        return consistsOf(TARGET, value)
          ? undefined
          : "the :path has a character that is invalid in a URI";
      case ":authority":
        if (this.#authority !== undefined) return "more than one :authority";
        this.#authority = value;
        return;
      case ":protocol":
        if (this.#protocol !== undefined) return "more than one :protocol";
        this.#protocol = value;
        return consistsOf(TOKEN, value) ? undefined : "the :protocol is not a token";
      default:
        return "an unknown pseudo-header field";
    }
  }

  #regularField(name: string, value: string): string | undefined {
    const fault = fieldFault(name, value) ?? noteKnown(this.#known, name, value)?.reason;
    if (fault !== undefined) return fault;
    this.#fields.push(name, value);
  }

  /** What is wrong with the pseudo-header fields, if anything (RFC 9113 8.3.1, 8.5; RFC 8441 4). */
  #pseudoFault(): string | undefined {
    if (this.#method === undefined) return "there is no :method";
    const isConnect = this.#method === "CONNECT";
    if (this.#protocol !== undefined && !isConnect) return "a :protocol without CONNECT";
    if (isConnect && this.#protocol === undefined) {
      return this.#scheme === undefined && this.#path === undefined && this.#authority
        ? undefined
        : "CONNECT has an :authority and neither :scheme nor :path";
    }
    if (this.#scheme === undefined) return "there is no :scheme";
    if (this.#path === undefined) return "there is no :path";
    if (this.#path.charCodeAt(0) === SLASH) return undefined;
    return this.#path === "*" && this.#method === "OPTIONS"
      ? undefined
      : "the :path is neither a path nor the * of OPTIONS";
  }

  /** A Host field must match `:authority` (RFC 9113 8.3.1). */
  #authorityFault(): string | undefined {
    if (this.#authority === undefined) return undefined;
    if (this.#authority === "") return "the :authority is empty";
    if (this.#known.host === undefined) {
      this.#fields.push("host", this.#authority);
      this.#known.host = this.#authority;
    }
    return this.#known.host.toLowerCase() === this.#authority.toLowerCase()
      ? undefined
      : "Host differs from :authority";
  }
}

/** Checks trailer fields, which are then ignored: Fetch has none for requests. */
export class TrailerFields implements FieldSink {
  readonly #maxBytes: number;
  #size = 0;
  #fault: string | undefined;

  /** Makes a sink for one block of at most `maxBytes`. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Why the trailer fields are invalid; `undefined` if they are valid. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** @inheritdoc */
  field(name: string, value: string): void {
    this.#size += entrySize(name, value);
    if (this.#size > this.#maxBytes) {
      this.#fault ??= `the trailer fields are longer than ${this.#maxBytes} bytes`;
    } else {
      // RFC 9113 8.1: no pseudo-header fields; no field name may contain a colon.
      this.#fault ??= fieldFault(name, value);
    }
  }
}

/** Ignores the fields of a block that is decoded only to update the dynamic table. */
export const NO_FIELDS: FieldSink = { field() {} };

/** What is wrong with a field, if anything (RFC 9113 8.2.1, 8.2.2). */
function fieldFault(name: string, value: string): string | undefined {
  if (!isFieldName(name)) return "a field name has an invalid character or a capital letter";
  if (!isFieldValue(value)) return "a field value has a control character, or whitespace around it";
  if (CONNECTION_FIELDS.has(name)) return "a connection-specific field";
  return name === "te" && value.toLowerCase() !== "trailers"
    ? "TE has a value other than trailers"
    : undefined;
}

const COLON = 0x3a;
const SLASH = 0x2f;

function isFieldName(name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (TOKEN[code] !== 1 || code >= 0x41 && code <= 0x5a) return false;
  }
  return name.length > 0;
}

function isFieldValue(value: string): boolean {
  const { length } = value;
  for (let at = 0; at < length; at++) if (FIELD_VALUE[value.charCodeAt(at)] !== 1) return false;
  return length === 0 || !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(length - 1));
}

function isBlank(code: number): boolean {
  return code === SP || code === HTAB;
}

function consistsOf(table: Uint8Array, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (table[text.charCodeAt(at)] !== 1) return false;
  return text.length > 0;
}
