/**
 * The head of a request of any HTTP version.
 *
 * @module
 */
import { badRequest, type HttpRefusal } from "./refusal.ts";

/** The head of a request. */
export interface RequestHead {
  /** As it was sent: methods are case-sensitive (RFC 9110 9.1). */
  readonly method: string;
  /** The request-target as it was sent (RFC 9112 3.2). */
  readonly target: string;
  /** True: HTTP/1.1 or a later HTTP/1. False: HTTP/1.0. */
  readonly http11: boolean;
  /** Alternating names and values, as they were sent. */
  readonly fields: readonly string[];
  /** The fields that determine connection and body. */
  readonly known: KnownFields;
}

/** Values of the fields that the server itself uses; `undefined` if absent. */
export interface KnownFields {
  /** Host (RFC 9110 7.2). */
  host: string | undefined;
  /** Connection (RFC 9110 7.6.1), lines joined. */
  connection: string | undefined;
  /** Content-Length (RFC 9110 8.6). */
  contentLength: string | undefined;
  /** Transfer-Encoding (RFC 9112 6.1). */
  transferEncoding: string | undefined;
  /** Expect (RFC 9110 10.1.1), lines joined. */
  expect: string | undefined;
}

/** No fields yet. */
export function noKnownFields(): KnownFields {
  return {
    host: undefined,
    connection: undefined,
    contentLength: undefined,
    transferEncoding: undefined,
    expect: undefined,
  };
}

/**
 * Records a field that the server itself uses. Returns a refusal if a field is repeated of which only one is allowed.
 */
export function noteKnown(
  known: KnownFields,
  name: string,
  value: string,
): HttpRefusal | undefined {
  // The length excludes most names before letters are compared.
  switch (name.length) {
    case 4:
      if (name.toLowerCase() !== "host") return;
      if (known.host !== undefined) return badRequest("more than one Host"); // RFC 9112 3.2
      known.host = value;
      return;
    case 6:
      if (name.toLowerCase() === "expect") known.expect = joined(known.expect, value);
      return;
    case 10:
      if (name.toLowerCase() === "connection") known.connection = joined(known.connection, value);
      return;
    case 14:
      if (name.toLowerCase() !== "content-length") return;
      // RFC 9112 6.3 allows equal values; legitimate clients do not send them.
      if (known.contentLength !== undefined) return badRequest("more than one Content-Length");
      known.contentLength = value;
      return;
    case 17:
      if (name.toLowerCase() !== "transfer-encoding") return;
      if (known.transferEncoding !== undefined) {
        return badRequest("more than one Transfer-Encoding");
      }
      known.transferEncoding = value;
      return;
  }
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}
