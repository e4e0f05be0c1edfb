/**
 * Checks of a request before it is served.
 *
 * @module
 */
import { expectsContinue } from "../shared/http/expectation.ts";
import { bodyTooLarge, HttpRefusal } from "../shared/http/refusal.ts";
import type { RequestHead } from "../shared/http/request_head.ts";
import { requestUrl, type Scheme } from "../shared/http/request_target.ts";
import { type Http2RequestHead, RefusedHead } from "./request_fields.ts";

/** Settings shared by all requests of a connection. */
export interface RequestSetting {
  /** Limit of a request body, in bytes. */
  readonly maxBodyBytes: number;
  /** Host and port of the server, used if the client names none. */
  readonly authority: string;
  /** `https` if the connection uses TLS. */
  readonly scheme: Scheme;
}

/** A request that can be served; identical heads share it. */
export interface ParsedRequest {
  /** The head in the form of HTTP/1.1. */
  readonly head: RequestHead;
  /** The URL; `ASTERISK` for the server as a whole. */
  readonly url: string;
  /** The client waits for 100 (Continue). */
  readonly expects: boolean;
  /** An extended CONNECT for a WebSocket (RFC 8441). */
  readonly isWebSocket: boolean;
}

/** A request that the server answers with an error. */
export class RefusedRequest {
  /** The part of the head that is known. */
  readonly head: Pick<RequestHead, "method" | "target">;
  /** The answer. */
  readonly refusal: HttpRefusal;

  /** Creates the refusal of a request. */
  constructor(head: Pick<RequestHead, "method" | "target">, refusal: HttpRefusal) {
    this.head = head;
    this.refusal = refusal;
  }
}

/** Checks `head` with the code of HTTP/1.1. */
export function checkRequest(
  head: Http2RequestHead | RefusedHead,
  setting: RequestSetting,
): ParsedRequest | RefusedRequest {
  if (head instanceof RefusedHead) return new RefusedRequest(head, head.refusal);
  const parsed = checkServable(head, setting);
  return parsed instanceof HttpRefusal ? new RefusedRequest(head, parsed) : parsed;
}

function checkServable(
  head: Http2RequestHead,
  { maxBodyBytes, authority, scheme }: RequestSetting,
): ParsedRequest | HttpRefusal {
  const { protocol, contentLength } = head;
  if (protocol !== undefined && protocol !== "websocket") {
    return new HttpRefusal(501, "the only protocol over a stream is websocket");
  }
  if (contentLength > maxBodyBytes) return bodyTooLarge(maxBodyBytes);
  const isWebSocket = protocol !== undefined;
  const request = isWebSocket ? webSocketHead(head) : head;
  const url = requestUrl(request, authority, scheme);
  if (url instanceof HttpRefusal) return url;
  const expects = expectsContinue(request);
  return expects instanceof HttpRefusal ? expects : { head: request, url, expects, isWebSocket };
}

/**
 * The equivalent HTTP/1.1 handshake (RFC 6455 4.1), which applications expect. RFC 8441 5 has no
 * Sec-WebSocket-Key, so the head gets a constant one.
 */
function webSocketHead({ target, http11, fields, known }: Http2RequestHead): RequestHead {
  const handshake = ["connection", "Upgrade", "upgrade", "websocket", "sec-websocket-key", NO_KEY];
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== "sec-websocket-key") handshake.push(fields[i]!, fields[i + 1]!);
  }
  return { method: "GET", target, http11, fields: handshake, known };
}

const NO_KEY = "AAAAAAAAAAAAAAAAAAAAAA==";
