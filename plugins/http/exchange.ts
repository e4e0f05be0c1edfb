/**
 * One request, prepared for the application, with what happens to it.
 *
 * @module
 */
import { type BodyFraming, bodyFraming } from "./body_framing.ts";
import type { CheckedHttpOptions } from "./options.ts";
import { expectsContinue } from "../shared/http/expectation.ts";
import { bodyTooLarge, endedWithinBody, HttpRefusal } from "../shared/http/refusal.ts";
import { abortRequest, createRequest } from "../shared/http/request.ts";
import { type BodySource, RequestBody } from "./request_body.ts";
import type { RequestHead } from "../shared/http/request_head.ts";
import { ASTERISK, requestUrl, type Scheme } from "../shared/http/request_target.ts";
import type { Takeover } from "../shared/http/upgrade.ts";

/** What requests need of their connection. */
export interface ExchangeSetting {
  /** Where the body comes from. */
  readonly source: BodySource;
  /** The bounds. */
  readonly options: CheckedHttpOptions;
  /** Host and port of this side, for a client that names none. */
  readonly authority: string;
  /** How the connection is reached. */
  readonly scheme: Scheme;
}

/** A request that can be served. */
export class Exchange {
  /** The request as it was received. */
  readonly head: RequestHead;
  /** What the application gets; `undefined`: the server itself answers, `OPTIONS *` is meant. */
  readonly request: Request | undefined;
  /** What is still to be read of the request's body. */
  readonly body: RequestBody | undefined;
  #takeover: Takeover | undefined;
  #answered = false;
  #isComplete = false;

  /** Makes an exchange whose response is due. */
  constructor(head: RequestHead, request: Request | undefined, body: RequestBody | undefined) {
    this.head = head;
    this.request = request;
    this.body = body;
  }

  /** Notes who takes the connection over; false: not with this request (RFC 9110 7.8). */
  readonly upgrade = (takeover: Takeover): boolean => {
    if (this.#answered || this.#takeover || this.body || !this.head.http11) return false;
    this.#takeover = takeover;
    return true;
  };

  /** Who takes the connection over; nobody can from here on. */
  closeUpgrade(): Takeover | undefined {
    this.#answered = true;
    return this.#takeover;
  }

  /** Notes that the client has the whole response: it may go now. */
  complete(): void {
    this.#isComplete = true;
  }

  /** Says that the client has gone away, with why. */
  abort(reason: unknown): void {
    if (this.request && !this.#isComplete) abortRequest(this.request, reason);
  }

  /** Gives up what is still to come of the body: the client has ended its side. */
  endBody(): void {
    if (this.body && !this.body.ended) this.body.fail(endedWithinBody());
  }
}

/** What a head asks for: the same each time that it comes. */
export interface ParsedRequest {
  /** The request as it was received. */
  readonly head: RequestHead;
  /** Where the body ends. */
  readonly framing: BodyFraming;
  /** What is asked for; `ASTERISK`: the server itself. */
  readonly url: string;
  /** The client waits for 100 (Continue). */
  readonly expects: boolean;
}

/** Checks `head` as a whole. */
export function demandOf(head: RequestHead, setting: ExchangeSetting): ParsedRequest | HttpRefusal {
  const { options, authority, scheme } = setting;
  const framing = bodyFraming(head);
  if (framing instanceof HttpRefusal) return framing;
  if (framing !== "chunked" && framing > options.maxBodyBytes) {
    return bodyTooLarge(options.maxBodyBytes);
  }
  const url = requestUrl(head, authority, scheme);
  if (url instanceof HttpRefusal) return url;
  const expects = expectsContinue(head);
  return expects instanceof HttpRefusal ? expects : { head, framing, url, expects };
}

/** Makes the request of what is asked for. */
export function prepareExchange(
  demand: ParsedRequest,
  setting: ExchangeSetting,
): Exchange | HttpRefusal {
  const { head, framing, url, expects } = demand;
  const { source, options } = setting;
  const received = receivedBody(framing, source);
  const body = framing === 0 || received
    ? undefined
    : new RequestBody(source, framing, options, expects);
  if (url === ASTERISK) return new Exchange(head, undefined, body);
  const request = createRequest(head, url, received ?? body);
  return request instanceof HttpRefusal ? request : new Exchange(head, request, body);
}

/** A body that came along with its head costs no stream. */
function receivedBody(
  framing: BodyFraming,
  { input }: BodySource,
): Uint8Array<ArrayBuffer> | undefined {
  const here = framing !== "chunked" && framing > 0 && framing <= input.length;
  return here ? input.take(framing) : undefined;
}
