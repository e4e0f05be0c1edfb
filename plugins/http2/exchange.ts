/**
 * One request and its response.
 *
 * @module
 */
import { isShortAscii } from "../shared/http/characters.ts";
import { isDecoded } from "../shared/http/content_coding.ts";
import { impliedContentType } from "../shared/http/content_type.ts";
import {
  badRequest,
  clientGone,
  endedWithinBody,
  HttpRefusal,
  responseOf,
} from "../shared/http/refusal.ts";
import type { RequestHead } from "../shared/http/request_head.ts";
import { abortRequest, createRequest } from "../shared/http/request.ts";
import { ASTERISK } from "../shared/http/request_target.ts";
import { PIECE_BYTES, ResponseContent } from "../shared/http/response_content.ts";
import { neverHasContent } from "../shared/http/status.ts";
import type { Takeover, Upgrade } from "../shared/http/upgrade.ts";
import { takeWholeBody } from "../shared/http/fetch_platform.ts";
import { type Demand, RefusedDemand } from "./demand.ts";
import { ERROR, type ErrorCode } from "./frames.ts";
import { dropEncoding, type ResponseFields, responseFields } from "./response_fields.ts";
import type { Http2Stream, StreamHandler } from "./stream.ts";
import { StreamBody } from "./stream_body.ts";
import { StreamTunnel } from "./tunnel.ts";

/** What an exchange needs of its connection. */
export interface ExchangeHost {
  /** Limit of a request body, in bytes. */
  readonly maxBodyBytes: number;
  /** Timeout between two pieces of a request's body. */
  readonly bodyTimeoutMs: number;
  /** Timeout for sending a piece of a response. */
  readonly writeTimeoutMs: number;
  /** Calls the application. */
  fetch(request: Request, upgrade: Upgrade): Response | Promise<Response>;
  /** Counts handlers that have not settled. */
  count(running: 1 | -1): void;
  /** The value of Date. */
  date(): string;
  /** The time in milliseconds. */
  now(): number;
  /** Requests a call of `expire` at `at`. */
  watch(at: number): void;
  /** Reports a large body that exists as a whole. */
  spend(bytes: number): void;
  /** Sends the head of a response. */
  sendHead(
    stream: Http2Stream,
    status: number,
    fields: readonly string[],
    endsStream: boolean,
  ): void;
  /** Sends data; false if some of it has to wait, until `drained`. */
  sendData(stream: Http2Stream, data: Uint8Array, endsStream: boolean): boolean;
  /** {@link sendData} for ASCII text. */
  sendText(stream: Http2Stream, text: string, endsStream: boolean): boolean;
  /** Reports consumed bytes, which reopens the windows. */
  consume(stream: Http2Stream, bytes: number): void;
  /** Sends RST_STREAM. */
  reset(stream: Http2Stream, code: ErrorCode): void;
  /** Resets a stream whose windows were not opened in time. */
  giveUp(stream: Http2Stream): void;
  /** Runs another protocol over a stream. */
  run(takeover: Takeover, tunnel: StreamTunnel): Promise<void>;
  /** Logs a failure of the application. */
  logFailure(head: Pick<RequestHead, "method" | "target">, error: unknown): void;
}

/** Serves the request of one stream. */
export class Exchange implements StreamHandler {
  readonly #host: ExchangeHost;
  readonly #stream: Http2Stream;
  readonly #demand: Demand | RefusedDemand;
  #request: Request | undefined;
  #body: StreamBody | undefined;
  #content: ResponseContent | undefined;
  #takeover: Takeover | undefined;
  #tunnel: StreamTunnel | undefined;
  #hasHead = false;
  #isAnswering = false;
  /** The stream is over; nothing can be sent. */
  #isLost = false;
  /** The client has sent its FIN, and is probably gone. */
  #isGone = false;
  #whenDrained: (() => void) | undefined;
  #readAt = Infinity;
  #writeAt = Infinity;

  /** Creates the exchange for a request. */
  constructor(host: ExchangeHost, stream: Http2Stream, demand: Demand | RefusedDemand) {
    this.#host = host;
    this.#stream = stream;
    this.#demand = demand;
  }

  /** The earliest deadline. */
  get deadline(): number {
    return Math.min(this.#readAt, this.#writeAt);
  }

  /** Calls the application and sends its response. */
  serve(): void {
    if (this.#isLost) return;
    const demand = this.#demand;
    if (demand instanceof RefusedDemand) return this.#answer(responseOf(demand.refusal));
    const { head, url, expects, isWebSocket } = demand;
    // Fetch has no URL for "*", and RFC 9110 9.3.7 requires only an empty response.
    if (url === ASTERISK) return this.#answer(new Response(null, { status: 204 }));
    // The client may send data before the response.
    if (isWebSocket) this.#tunnel = this.#makeTunnel();
    const hasBody = !this.#stream.isRemoteClosed && !isWebSocket && head.method !== "GET" &&
      head.method !== "HEAD";
    if (hasBody) this.#body = this.#makeBody(expects);
    const request = createRequest(head, url, this.#body);
    if (request instanceof HttpRefusal) return this.#answer(responseOf(request));
    this.#request = request;
    let response: Response | Promise<Response>;
    try {
      response = this.#host.fetch(request, this.#upgrade);
    } catch (error) {
      return this.#answer(this.#failed(error));
    }
    if (isSendable(response)) return this.#answer(response);
    void this.#whenAnswered(response);
  }

  /** The client has sent its FIN: abort, as over HTTP/1.1. */
  leave(): void {
    if (this.#isGone || this.#isLost) return;
    this.#isGone = true;
    this.#body?.fail(endedWithinBody());
    this.#tunnel?.end();
    this.#abort();
  }

  /** Handles deadlines that have passed. */
  expire(now: number): void {
    if (this.#readAt <= now) {
      this.#readAt = Infinity;
      this.#body?.fail(new HttpRefusal(408, "the request body did not come in time"));
    }
    if (this.#writeAt <= now) {
      this.#writeAt = Infinity;
      this.#host.giveUp(this.#stream);
      this.lost();
    }
  }

  // ---------------------------------------------------------------- events of the stream

  /** @inheritdoc */
  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#tunnel) this.#tunnel.data(bytes, start, end);
    else if (this.#body) {
      this.#readAt = Infinity;
      this.#body.data(bytes, start, end);
    } else this.#host.consume(this.#stream, end - start);
  }

  /** @inheritdoc */
  end(): void {
    this.#body?.end();
    this.#tunnel?.end();
  }

  /** @inheritdoc */
  drained(): void {
    this.#writeAt = Infinity;
    this.#whenDrained?.();
    this.#whenDrained = undefined;
  }

  /** @inheritdoc */
  lost(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#readAt = this.#writeAt = Infinity;
    this.#body?.fail(badRequest("the stream was reset within the request body"));
    this.#tunnel?.lose();
    this.#abort();
    this.drained();
  }

  #abort(): void {
    const reason = clientGone();
    if (this.#request) abortRequest(this.#request, reason);
    this.#content?.cancel(reason);
  }

  // ---------------------------------------------------------------- the request

  #makeBody(expects: boolean): StreamBody {
    const host = this.#host;
    return new StreamBody({
      maxBodyBytes: host.maxBodyBytes,
      consume: (bytes) => host.consume(this.#stream, bytes),
      setWaiting: (isWaiting) => {
        this.#readAt = isWaiting ? host.now() + host.bodyTimeoutMs : Infinity;
        if (isWaiting) host.watch(this.#readAt);
      },
      sendContinue: () => {
        if (!this.#hasHead && !this.#isLost) host.sendHead(this.#stream, 100, NO_FIELDS, false);
      },
    }, expects);
  }

  readonly #upgrade = (takeover: Takeover): boolean => {
    const isWebSocket = this.#demand instanceof RefusedDemand ? false : this.#demand.isWebSocket;
    if (this.#isAnswering || this.#takeover || !isWebSocket) return false;
    this.#takeover = takeover;
    return true;
  };

  async #whenAnswered(promised: Response | Promise<Response>): Promise<void> {
    let response: Response;
    this.#host.count(1);
    try {
      response = await promised;
      if (!isSendable(response)) {
        throw new TypeError("The application's fetch() did not return a Response to send");
      }
    } catch (error) {
      response = this.#failed(error);
    }
    this.#host.count(-1);
    this.#answer(response);
  }

  #failed(error: unknown): Response {
    // A handler that fails because of the abort is not an error.
    const isClients = this.#isLost || this.#isGone || this.#body?.refusal !== undefined;
    if (!isClients) this.#host.logFailure(this.#demand.head, error);
    return responseOf(new HttpRefusal(500, "the application failed"));
  }

  // ---------------------------------------------------------------- the response

  #answer(given: Response): void {
    this.#isAnswering = true;
    // Even if the application caught the error, the client learns what was wrong.
    const refusal = this.#body?.refusal;
    if (this.#isLost || refusal) discard(given);
    if (this.#isLost) return;
    const response = refusal ? responseOf(refusal) : given;
    try {
      if (response.status === 101) return this.#switchProtocols(response);
      this.#sendAll(response);
    } catch (error) {
      this.#recover(error);
    }
  }

  #sendAll(response: Response): void {
    const sending = this.#send(response);
    if (sending === undefined) return this.#finish();
    sending.then(() => this.#finish(), (error) => this.#recover(error));
  }

  /** The response is complete. */
  #finish(): void {
    if (this.#isLost) return;
    // Later events do not abort the request.
    this.#request = undefined;
    this.#isLost = true;
    this.#readAt = this.#writeAt = Infinity;
    this.#body?.detach();
    this.#tunnel?.lose();
    // RFC 9113 8.1: ask the client to stop sending the rest of its request.
    this.#host.reset(this.#stream, ERROR.noError);
  }

  /** The response failed before or while it was sent. */
  #recover(error: unknown): void {
    if (this.#isLost) return;
    const isClients = this.#isGone || this.#body?.refusal !== undefined;
    if (!isClients) this.#host.logFailure(this.#demand.head, error);
    if (!this.#hasHead && !this.#isGone) {
      const refusal = this.#body?.refusal ?? new HttpRefusal(500, "the application failed");
      return this.#sendAll(responseOf(refusal));
    }
    // RFC 9113 8.1: an incomplete response must not look complete.
    this.#host.reset(this.#stream, this.#isGone ? ERROR.cancel : ERROR.internalError);
    this.lost();
  }

  /** Sends `response`; `undefined` if it was sent synchronously. */
  #send(response: Response): Promise<void> | undefined {
    const fields = responseFields(response.headers);
    const { status } = response;
    if (neverHasContent(status)) {
      const { body } = response;
      if (body && !body.locked) body.cancel().catch(() => {});
      return void this.#sendHead(status, fields, undefined, true);
    }
    // Before `response.body` is read: creating the stream costs more than everything else.
    const whole = fields.contentEncoding === undefined ? takeWholeBody(response) : undefined;
    if (whole !== undefined) {
      if (whole.length > PIECE_BYTES) this.#host.spend(whole.length);
      if (typeof whole === "string") {
        const content = isShortAscii(whole) ? whole : encoder.encode(whole);
        return this.#sendWhole(status, fields, content);
      }
      if (whole instanceof Uint8Array) return this.#sendWhole(status, fields, whole);
      return whole.take().then((bytes) => this.#sendWhole(status, fields, bytes));
    }
    if (response.bodyUsed) throw new TypeError("The response body has been read already");
    const { body } = response;
    if (body) return this.#sendBody(response, fields, body);
    if (!this.#isHead) return this.#sendWhole(status, fields, NOTHING);
    // The response to HEAD may have the Content-Length of the response to GET (RFC 9110 8.6).
    if (isDecodedContent(response, fields, NOTHING)) dropEncoding(fields);
    return void this.#sendHead(status, fields, fields.contentLength, true);
  }

  get #isHead(): boolean {
    return this.#demand.head.method === "HEAD";
  }

  #sendHead(
    status: number,
    fields: ResponseFields,
    contentLength: number | undefined,
    endsStream: boolean,
  ): void {
    if (!fields.hasDate) fields.list.push("date", this.#host.date());
    if (contentLength !== undefined) fields.list.push("content-length", String(contentLength));
    this.#hasHead = true;
    this.#host.sendHead(this.#stream, status, fields.list, endsStream);
  }

  /** Sends ASCII text or bytes with their actual length. */
  #sendWhole(
    status: number,
    fields: ResponseFields,
    data: string | Uint8Array,
  ): Promise<void> | undefined {
    addImpliedType(fields, data);
    const isAll = this.#isHead || data.length === 0;
    this.#sendHead(status, fields, data.length, isAll);
    if (isAll) return undefined;
    if (typeof data !== "string") return this.#sendData(data, true);
    return this.#whenSent(this.#host.sendText(this.#stream, data, true));
  }

  /** Sends a body that may be a stream. */
  async #sendBody(
    response: Response,
    fields: ResponseFields,
    body: ReadableStream<unknown>,
  ): Promise<void> {
    const content = new ResponseContent(body);
    try {
      await content.gather(false);
      if (isDecodedContent(response, fields, content.data)) dropEncoding(fields);
      if (content.ended) {
        return await this.#sendWhole(response.status, fields, content.data);
      }
      if (this.#isLost || this.#isGone) return content.cancel(clientGone());
      this.#content = content;
      if (content.data.length >= PIECE_BYTES) addImpliedType(fields, content.data);
      this.#sendHead(response.status, fields, fields.contentLength, this.#isHead);
      if (this.#isHead) return content.cancel();
      await this.#sendStream(content, fields.contentLength);
    } catch (error) {
      content.cancel(error);
      throw error;
    } finally {
      this.#content = undefined;
    }
  }

  async #sendStream(content: ResponseContent, promised: number | undefined): Promise<void> {
    let sent = 0;
    while (true) {
      const { data, ended } = content;
      sent += data.length;
      const fits = promised === undefined || (ended ? sent === promised : sent <= promised);
      // RFC 9113 8.1.1: a mismatch would make the response malformed.
      if (!fits) throw wrongLength(promised);
      for (let at = 0; at < data.length || ended && at === 0; at += PIECE_BYTES) {
        const piece = data.subarray(at, at + PIECE_BYTES);
        await this.#sendData(piece, ended && at + PIECE_BYTES >= data.length);
        if (this.#isLost) return;
      }
      if (ended) return;
      await content.gather(true);
    }
  }

  /** `undefined` if all of it was framed at once. */
  #sendData(data: Uint8Array, endsStream: boolean): Promise<void> | undefined {
    return this.#whenSent(this.#host.sendData(this.#stream, data, endsStream));
  }

  #whenSent(isAll: boolean): Promise<void> | undefined {
    if (isAll) return undefined;
    this.#writeAt = this.#host.now() + this.#host.writeTimeoutMs;
    this.#host.watch(this.#writeAt);
    return new Promise((resolve) => this.#whenDrained = resolve);
  }

  // ---------------------------------------------------------------- another protocol

  #makeTunnel(): StreamTunnel {
    return new StreamTunnel({
      sendData: (data, endsStream) => this.#sendData(data, endsStream),
      consume: (bytes) => this.#host.consume(this.#stream, bytes),
      reset: () => {
        this.#host.reset(this.#stream, ERROR.cancel);
        this.lost();
      },
    });
  }

  /** In HTTP/2, 200 takes the place of 101 (RFC 8441 5). */
  #switchProtocols(response: Response): void {
    const tunnel = this.#tunnel;
    if (!this.#takeover || !tunnel) throw new TypeError("A response of 101 without an upgrade");
    this.#sendHead(200, responseFields(response.headers), undefined, false);
    const over = () => {
      if (!this.#stream.isOver) this.#host.reset(this.#stream, ERROR.cancel);
      this.lost();
    };
    this.#host.run(this.#takeover, tunnel).then(over, over);
  }
}

const NOTHING = new Uint8Array(0);
const NO_FIELDS: readonly string[] = [];
const encoder = new TextEncoder();

/**
 * Whether a response can be sent: Response.error() has status 0, and below 200 only 101 is
 * possible.
 */
function isSendable(response: unknown): response is Response {
  return response instanceof Response && (response.status >= 200 || response.status === 101);
}

/** Cancels the body. */
function discard({ body }: Response): void {
  if (body && !body.locked) body.cancel().catch(() => {});
}

function addImpliedType(fields: ResponseFields, content: string | Uint8Array): void {
  if (fields.hasContentType) return;
  // The beginning is enough to decide.
  const beginning = typeof content === "string" || content.length <= PIECE_BYTES
    ? content
    : content.subarray(0, PIECE_BYTES);
  const type = impliedContentType(beginning);
  if (type !== "") fields.list.push("content-type", type);
}

function isDecodedContent(response: Response, fields: ResponseFields, data: Uint8Array): boolean {
  const { contentEncoding } = fields;
  return contentEncoding !== undefined && isDecoded(contentEncoding, data, response.url !== "");
}

function wrongLength(promised: number): TypeError {
  return new TypeError(`The response body does not have its content-length of ${promised} bytes`);
}
