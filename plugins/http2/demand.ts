/**
 * What a head asks for.
 *
 * @module
 */
import { expectsContinue } from "../shared/http/expectation.ts";
import { bodyTooLarge, HttpRefusal } from "../shared/http/refusal.ts";
import type { RequestHead } from "../shared/http/request_head.ts";
import { requestUrl, type Scheme } from "../shared/http/request_target.ts";
import { type Http2RequestHead, RefusedHead } from "./request_fields.ts";

/** What all requests of a connection have in common. */
export interface DemandSetting {
  /** Bytes of a body, at most. */
  readonly maxBodyBytes: number;
  /** Host and port of this side, for a client that names none. */
  readonly authority: string;
  /** How the connection is reached. */
  readonly scheme: Scheme;
}

/** A request that can be served: the same each time that its head comes. */
export interface Demand {
  /** The head, as that of a request of HTTP/1.1. */
  readonly head: RequestHead;
  /** What is asked for; `ASTERISK`: the server itself. */
  readonly url: string;
  /** The client waits for 100 (Continue). */
  readonly expects: boolean;
  /** An extended CONNECT: the stream is to carry a WebSocket (RFC 8441). */
  readonly isWebSocket: boolean;
}

/** A request that is answered by the server itself. */
export class RefusedDemand {
  /** As much of the head as is known. */
  readonly head: Pick<RequestHead, "method" | "target">;
  /** The answer. */
  readonly refusal: HttpRefusal;

  /** Notes why a request is not served. */
  constructor(head: Pick<RequestHead, "method" | "target">, refusal: HttpRefusal) {
    this.head = head;
    this.refusal = refusal;
  }
}

/** Checks `head` as a whole, as HTTP/1.1's are. */
export function demandOf(
  head: Http2RequestHead | RefusedHead,
  setting: DemandSetting,
): Demand | RefusedDemand {
  if (head instanceof RefusedHead) return new RefusedDemand(head, head.refusal);
  const demand = checkedDemand(head, setting);
  return demand instanceof HttpRefusal ? new RefusedDemand(head, demand) : demand;
}

function checkedDemand(
  head: Http2RequestHead,
  { maxBodyBytes, authority, scheme }: DemandSetting,
): Demand | HttpRefusal {
  const { protocol, contentLength } = head;
  if (protocol !== undefined && protocol !== "websocket") {
    return new HttpRefusal(501, "the only protocol over a stream is websocket");
  }
  if (contentLength > maxBodyBytes) return bodyTooLarge(maxBodyBytes);
  const isWebSocket = protocol !== undefined;
  const asked = isWebSocket ? webSocketHead(head) : head;
  const url = requestUrl(asked, authority, scheme);
  if (url instanceof HttpRefusal) return url;
  const expects = expectsContinue(asked);
  return expects instanceof HttpRefusal ? expects : { head: asked, url, expects, isWebSocket };
}

/**
 * The handshake that HTTP/1.1 would have (RFC 6455 4.1): applications know that one. It has a key that
 * nobody looks at, for RFC 8441 5 leaves it out.
 */
function webSocketHead({ target, http11, fields, known }: Http2RequestHead): RequestHead {
  const handshake = ["connection", "Upgrade", "upgrade", "websocket", "sec-websocket-key", NO_KEY];
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== "sec-websocket-key") handshake.push(fields[i]!, fields[i + 1]!);
  }
  return { method: "GET", target, http11, fields: handshake, known };
}

const NO_KEY = "AAAAAAAAAAAAAAAAAAAAAA==";
