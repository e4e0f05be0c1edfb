/**
 * One request and its response.
 *
 * @module
 */
import {
  checkSendable,
  discardResponse,
  internalServerError,
  isSendable,
  upgradeMissing,
} from "../shared/http/application_response.ts";
import {
  badRequest,
  clientGone,
  endedWithinBody,
  HttpRefusal,
  responseOf,
} from "../shared/http/refusal.ts";
import { withFileLength } from "../shared/http/file_response.ts";
import type { RequestHead } from "../shared/http/request_head.ts";
import { abortRequest, createRequest } from "../shared/http/request.ts";
import { ASTERISK } from "../shared/http/request_target.ts";
import type { ServedRequest } from "../shared/http/access_log.ts";
import type { Takeover, Upgrade } from "../shared/http/upgrade.ts";
import { type ParsedRequest, RefusedRequest } from "./parsed_request.ts";
import { ERROR, type ErrorCode } from "./frames.ts";
import { type ResponseHost, ResponseWriter } from "./response_writer.ts";
import type { Http2Stream, StreamHandler } from "./stream.ts";
import { StreamBody } from "./stream_body.ts";
import { StreamTunnel } from "./tunnel.ts";

/** The part of a connection that its exchanges use. */
export interface ExchangeHost extends ResponseHost {
  /** Limit of a request body, in bytes. */
  readonly maxBodyBytes: number;
  /** Timeout between two pieces of a request's body. */
  readonly bodyTimeoutMs: number;
  /** Calls the application. */
  fetch(request: Request, upgrade: Upgrade): Response | Promise<Response>;
  /** Counts handlers that have not settled. */
  count(running: 1 | -1): void;
  /** Reports consumed bytes, which reopens the windows. */
  consume(stream: Http2Stream, bytes: number): void;
  /** Sends RST_STREAM. */
  reset(stream: Http2Stream, code: ErrorCode): void;
  /** Resets a stream whose windows were not opened in time. */
  resetStalled(stream: Http2Stream): void;
  /** Runs another protocol over a stream. */
  run(takeover: Takeover, tunnel: StreamTunnel): Promise<void>;
  /** Logs a failure of the application. */
  logFailure(head: Pick<RequestHead, "method" | "target">, error: unknown): void;
  /** Whether {@link ended} is to be called. */
  readonly isObserved: boolean;
  /** A request has ended; `beganAt` is its start, as a time of {@link ResponseHost.now}. */
  ended(request: ServedRequest, beganAt: number): void;
}

/** Serves the request of one stream. */
export class Exchange implements StreamHandler {
  readonly #host: ExchangeHost;
  readonly #stream: Http2Stream;
  readonly #parsed: ParsedRequest | RefusedRequest;
  readonly #writer: ResponseWriter;
  #request: Request | undefined;
  #body: StreamBody | undefined;
  #takeover: Takeover | undefined;
  #tunnel: StreamTunnel | undefined;
  #isAnswering = false;
  /** The stream is over; nothing can be sent. */
  #isLost = false;
  /** The client has sent its FIN, and is probably gone. */
  #isGone = false;
  #readAt = Infinity;
  /** When the request began, if it is observed and has not been reported. */
  #beganAt: number | undefined;
  /** The status of the response; 0: there is none yet. */
  #status = 0;

  /** Creates the exchange for a request. */
  constructor(host: ExchangeHost, stream: Http2Stream, parsed: ParsedRequest | RefusedRequest) {
    this.#host = host;
    this.#stream = stream;
    this.#parsed = parsed;
    this.#writer = new ResponseWriter(host, stream, parsed.head.method === "HEAD");
    if (host.isObserved) this.#beganAt = host.now();
  }

  /** The earliest deadline. */
  get deadline(): number {
    return Math.min(this.#readAt, this.#writer.deadline);
  }

  /** Calls the application and sends its response. */
  serve(): void {
    if (this.#isLost) return;
    const parsed = this.#parsed;
    if (parsed instanceof RefusedRequest) return this.#answer(responseOf(parsed.refusal));
    const { head, url, expects, isWebSocket } = parsed;
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
    const reason = clientGone();
    if (this.#request) abortRequest(this.#request, reason);
    this.#writer.cancel(reason);
  }

  /** Handles deadlines that have passed. */
  expire(now: number): void {
    if (this.#readAt <= now) {
      this.#readAt = Infinity;
      this.#body?.fail(new HttpRefusal(408, "the request body did not arrive in time"));
    }
    if (this.#writer.deadline <= now) {
      this.#host.resetStalled(this.#stream);
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
    this.#writer.drained();
  }

  /** @inheritdoc */
  lost(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#report();
    this.#readAt = Infinity;
    this.#body?.fail(badRequest("the stream was reset within the request body"));
    this.#tunnel?.lose();
    const reason = clientGone();
    if (this.#request) abortRequest(this.#request, reason);
    this.#writer.stop(reason);
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
        if (!this.#writer.started && !this.#isLost) {
          host.sendHead(this.#stream, 100, NO_FIELDS, false);
        }
      },
    }, expects);
  }

  readonly #upgrade = (takeover: Takeover): boolean => {
    const isWebSocket = this.#parsed instanceof RefusedRequest ? false : this.#parsed.isWebSocket;
    if (this.#isAnswering || this.#takeover || !isWebSocket) return false;
    this.#takeover = takeover;
    return true;
  };

  async #whenAnswered(promised: Response | Promise<Response>): Promise<void> {
    let response: Response;
    this.#host.count(1);
    try {
      response = checkSendable(await promised);
    } catch (error) {
      response = this.#failed(error);
    }
    this.#host.count(-1);
    this.#answer(response);
  }

  #failed(error: unknown): Response {
    // A handler that fails because of the abort is not an error.
    const isCausedByClient = this.#isLost || this.#isGone || this.#body?.refusal !== undefined;
    if (!isCausedByClient) this.#host.logFailure(this.#parsed.head, error);
    return internalServerError();
  }

  // ---------------------------------------------------------------- the response

  #answer(given: Response): void {
    this.#isAnswering = true;
    // Even if the application caught the error, the client learns what was wrong.
    const refusal = this.#body?.refusal;
    if (this.#isLost || refusal) discardResponse(given);
    if (this.#isLost) return;
    const response = refusal ? responseOf(refusal) : given;
    try {
      if (response.status === 101) return this.#switchProtocols(response);
      const parsed = this.#parsed;
      const isRefused = parsed instanceof RefusedRequest;
      this.#sendAll(isRefused ? response : withFileLength(response, parsed.head));
    } catch (error) {
      this.#recover(error);
    }
  }

  /** The request has ended. */
  #report(): void {
    if (this.#beganAt === undefined) return;
    this.#host.ended({
      head: this.#parsed.head,
      status: this.#status,
      bytes: this.#writer.contentBytes,
      protocol: "HTTP/2.0",
    }, this.#beganAt);
    this.#beganAt = undefined;
  }

  #sendAll(response: Response): void {
    this.#status = response.status;
    const sending = this.#writer.send(response);
    if (sending === undefined) return this.#finish();
    sending.then(() => this.#finish(), (error) => this.#recover(error));
  }

  /** The response is complete. */
  #finish(): void {
    if (this.#isLost) return;
    // Later events do not abort the request.
    this.#request = undefined;
    this.#isLost = true;
    this.#report();
    this.#readAt = Infinity;
    this.#body?.detach();
    this.#tunnel?.lose();
    // RFC 9113 8.1: ask the client to stop sending the rest of its request.
    this.#host.reset(this.#stream, ERROR.noError);
  }

  /** The response failed before or while it was sent. */
  #recover(error: unknown): void {
    if (this.#isLost) return;
    const isCausedByClient = this.#isGone || this.#body?.refusal !== undefined;
    if (!isCausedByClient) this.#host.logFailure(this.#parsed.head, error);
    if (!this.#writer.started && !this.#isGone) {
      const refusal = this.#body?.refusal;
      return this.#sendAll(refusal ? responseOf(refusal) : internalServerError());
    }
    // RFC 9113 8.1: an incomplete response must not look complete.
    this.#host.reset(this.#stream, this.#isGone ? ERROR.cancel : ERROR.internalError);
    this.lost();
  }

  // ---------------------------------------------------------------- another protocol

  #makeTunnel(): StreamTunnel {
    return new StreamTunnel({
      sendData: (data, endsStream) => this.#writer.sendData(data, endsStream),
      trySendData: (data) => this.#writer.trySendData(data),
      consume: (bytes) => this.#host.consume(this.#stream, bytes),
      reset: () => {
        this.#host.reset(this.#stream, ERROR.cancel);
        this.lost();
      },
    });
  }

  #switchProtocols(response: Response): void {
    const tunnel = this.#tunnel;
    if (!this.#takeover || !tunnel) throw upgradeMissing();
    this.#status = 101;
    this.#report();
    this.#writer.switchProtocols(response);
    const over = () => {
      if (!this.#stream.isOver) this.#host.reset(this.#stream, ERROR.cancel);
      this.lost();
    };
    this.#host.run(this.#takeover, tunnel).then(over, over);
  }
}

const NO_FIELDS: readonly string[] = [];
