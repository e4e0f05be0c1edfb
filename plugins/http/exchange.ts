/**
 * One request, prepared for the application, and its state until the response is sent.
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

/** The part of a connection that its requests use. */
export interface ExchangeSetting {
  /** Source of the body. */
  readonly source: BodySource;
  /** Limits. */
  readonly options: CheckedHttpOptions;
  /** Host and port of this side, for clients that send no Host. */
  readonly authority: string;
  /** Scheme of the connection. */
  readonly scheme: Scheme;
}

/** A request that can be served. */
export class Exchange {
  /** The request as it was received. */
  readonly head: RequestHead;
  /** The Request for the application; `undefined` for `OPTIONS *`, which the server itself answers. */
  readonly request: Request | undefined;
  /** The body, if part of it is still to be read. */
  readonly body: RequestBody | undefined;
  #takeover: Takeover | undefined;
  #answered = false;
  #isComplete = false;

  /** An exchange without a response yet. */
  constructor(head: RequestHead, request: Request | undefined, body: RequestBody | undefined) {
    this.head = head;
    this.request = request;
    this.body = body;
  }

  /** Registers a takeover of the connection; false: this request cannot be upgraded (RFC 9110 7.8). */
  readonly upgrade = (takeover: Takeover): boolean => {
    if (this.#answered || this.#takeover || this.body || !this.head.http11) return false;
    this.#takeover = takeover;
    return true;
  };

  /** The registered takeover, if any; later ones are refused. */
  closeUpgrade(): Takeover | undefined {
    this.#answered = true;
    return this.#takeover;
  }

  /** The response has been sent completely: {@link abort} does nothing from now on. */
  complete(): void {
    this.#isComplete = true;
  }

  /** Aborts the request: the client has gone away. */
  abort(reason: unknown): void {
    if (this.request && !this.#isComplete) abortRequest(this.request, reason);
  }

  /** Fails the rest of the body: the client has closed its side. */
  endBody(): void {
    if (this.body && !this.body.ended) this.body.fail(endedWithinBody());
  }
}

/** A checked head; the same for each repetition of the head. */
export interface ParsedRequest {
  /** The request as it was received. */
  readonly head: RequestHead;
  /** Framing of the body. */
  readonly framing: BodyFraming;
  /** URL of the request; `ASTERISK` for `OPTIONS *`. */
  readonly url: string;
  /** The client waits for 100 (Continue). */
  readonly expects: boolean;
}

/** Checks a head. */
export function checkRequest(
  head: RequestHead,
  setting: ExchangeSetting,
): ParsedRequest | HttpRefusal {
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

/** Makes the exchange of a checked head. */
export function prepareExchange(
  parsed: ParsedRequest,
  setting: ExchangeSetting,
): Exchange | HttpRefusal {
  const { head, framing, url, expects } = parsed;
  const { source, options } = setting;
  const received = receivedBody(framing, source);
  const body = framing === 0 || received
    ? undefined
    : new RequestBody(source, framing, options, expects);
  if (url === ASTERISK) return new Exchange(head, undefined, body);
  const request = createRequest(head, url, received ?? body);
  return request instanceof HttpRefusal ? request : new Exchange(head, request, body);
}

/** A body that arrived with its head needs no stream. */
function receivedBody(
  framing: BodyFraming,
  { input }: BodySource,
): Uint8Array<ArrayBuffer> | undefined {
  const here = framing !== "chunked" && framing > 0 && framing <= input.length;
  return here ? input.take(framing) : undefined;
}
