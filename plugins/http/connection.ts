/**
 * One connection: a request, its response, the next request (RFC 9112 9).
 *
 * @module
 */
import { stackOf } from "../../core/api/error_text.ts";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import { type DirectWriter, directWriterOf } from "../../core/api/tcp/direct_writer.ts";
import type { Context } from "../../core/api/types.ts";
import {
  checkSendable,
  discardResponse,
  internalServerError,
  isSendable,
  upgradeMissing,
} from "../shared/http/application_response.ts";
import { bytesOf, textOf } from "../shared/http/characters.ts";
import { ConnectionTimeouts, type Wait } from "../shared/http/connection_timeouts.ts";
import { type BurstClock, burstClockOf } from "../shared/http/burst_clock.ts";
import type { DateField } from "../shared/http/date.ts";
import { envOf } from "../shared/http/env.ts";
import type { FetchApp } from "../shared/http/fetch_app.ts";
import { withFileLength } from "../shared/http/file_response.ts";
import { Input } from "../shared/http/input.ts";
import { badRequest, clientGone, HttpRefusal, responseOf } from "../shared/http/refusal.ts";
import type { RequestHead } from "../shared/http/request_head.ts";
import type { RequestObserver } from "../shared/http/request_observer.ts";
import type { Turns } from "../shared/http/turns.ts";
import { ClientWatch } from "./client_watch.ts";
import {
  type Exchange,
  type ExchangeSetting,
  type ParsedRequest,
  prepareExchange,
} from "./exchange.ts";
import type { CheckedHttpOptions } from "./options.ts";
import { wantsKeepAlive } from "./persistence.ts";
import { RequestReader } from "./request_reader.ts";
import { type ResponsePlan, ResponseWriter, type Reusable } from "./response_writer.ts";

/** State that the connections of one plugin share. */
export interface SharedState {
  /** The Date field of responses. */
  readonly date: DateField;
  /** Shares the event loop between large responses. */
  readonly turns: Turns;
  /** Measures requests. */
  readonly observer: RequestObserver;
}

/** State of the connection; decides how a read timeout is handled. */
type Phase = "idle" | "head" | "serve" | "linger";

/** A connection for another stack, as a plugin's state. */
export interface MovedHttp {
  /** The connection has switched to another protocol; `input` begins with the request that led to it. */
  readonly upgraded: boolean;
  /** Received bytes that were not processed, as characters from 0 to 255. */
  readonly input: string;
}

/** A connection that has switched to another protocol. */
interface UpgradedState {
  /** The head of the request that led to it. */
  readonly head: string;
  readonly isIdle: () => boolean;
}

const CONTINUE = bytesOf("HTTP/1.1 100 Continue\r\n\r\n");

/** Serves the requests of one connection one by one, in the order of arrival. */
export class HttpConnection {
  readonly #c: Context;
  readonly #clock: BurstClock;
  readonly #app: FetchApp;
  readonly #options: CheckedHttpOptions;
  readonly #shared: SharedState;
  readonly #input: Input;
  readonly #reader: RequestReader;
  readonly #deadlines: ConnectionTimeouts;
  readonly #watch: ClientWatch;
  readonly #writer: ResponseWriter;
  readonly #setting: ExchangeSetting;
  readonly #envFor: ReturnType<typeof envOf>;
  #phase: Phase = "idle";
  #exchange: Exchange | undefined;
  /** The final response has been started: too late for 100 (Continue). */
  #responding = false;
  /** A head was late, and 408 has been sent. */
  #timedOut = false;
  /** The stack is closing: no request follows the current one. */
  #stopping = false;
  /** The connection broke or was aborted. */
  #lost = false;
  /** The client has closed its side while a request was being served. */
  #gone = false;
  #isFillingBody = false;
  /** Set once the connection has switched to another protocol. */
  #upgraded: UpgradedState | undefined;
  /** The connection was moved after an upgrade: the application gets the request for the upgrade once more. */
  #isRepeating = false;
  /** When the current request began, if it is observed and has not been reported. */
  #beganAt: number | undefined;
  /** The status of its response; 0: there is none yet. */
  #status = 0;

  /** The server side of `c.socket`, from the beginning or from the point at which another stack stopped. */
  constructor(
    c: Context,
    app: FetchApp,
    options: CheckedHttpOptions,
    shared: SharedState,
    moved?: MovedHttp,
  ) {
    this.#c = c;
    this.#clock = burstClockOf(c.clock);
    this.#app = app;
    this.#options = options;
    this.#shared = shared;
    this.#input = new Input(c.socket);
    this.#deadlines = new ConnectionTimeouts(this.#clock, (wait) => this.#expire(wait));
    this.#watch = new ClientWatch(this.#input, this.#deadlines, {
      left: () => this.#leave(),
      broke: (error) => this.#lose(error),
    });
    this.#writer = new ResponseWriter(
      (bytes) => this.#write(bytes),
      (length) => shared.turns.spend(length),
      this.#directWriter(),
    );
    this.#envFor = envOf(c.socket, c.log);
    this.#setting = {
      options,
      authority: formatHostPort(c.socket.localAddr),
      scheme: c.socket.upgraded ? "https" : "http",
      source: {
        input: this.#input,
        fill: () => this.#fillBody(),
        sendContinue: () => this.#sendContinue(),
      },
    };
    this.#reader = new RequestReader(this.#setting);
    if (moved === undefined) return;
    this.#isRepeating = moved.upgraded;
    this.#input.put(bytesOf(moved.input));
  }

  /** What another stack needs to continue; `undefined` while a request is being served. */
  freeze(): MovedHttp | undefined {
    if (this.#lost || this.#stopping || this.#timedOut) return undefined;
    const { bytes, start, end } = this.#input;
    const input = textOf(bytes, start, end, false);
    if (this.#upgraded !== undefined) {
      const { head, isIdle } = this.#upgraded;
      return isIdle() ? { upgraded: true, input: head + input } : undefined;
    }
    const isWaiting = this.#phase === "idle" || this.#phase === "head";
    return isWaiting && !this.#isRepeating ? { upgraded: false, input } : undefined;
  }

  /** Serves until the client closes, the connection breaks or the stack closes. */
  async run(): Promise<void> {
    const { signal, socket } = this.#c;
    const stop = () => this.#stop();
    signal.addEventListener("abort", stop);
    socket.closed.catch((reason) => this.#lose(reason));
    if (signal.aborted) stop();
    try {
      await this.#serveAll();
    } catch (error) {
      // A client that goes away is not an error of this side.
      if (!this.#lost && !(error instanceof TcpError)) throw error;
      this.#c.log.debug("http: connection lost", { error });
    } finally {
      signal.removeEventListener("abort", stop);
      this.#report();
      this.#deadlines.dispose();
    }
  }

  /**
   * Serves one request after the other, without a promise unless it has to wait: most requests
   * arrive in one segment, and most responses are sent in one write.
   */
  async #serveAll(): Promise<void> {
    this.#phase = "idle";
    for (;;) {
      const request = this.#input.length > 0 ? this.#nextRequest() : undefined;
      if (request === undefined) {
        if (!this.#waitForHead()) return;
        const filled = await this.#input.fill();
        if (this.#timedOut) return;
        if (filled) continue;
        if (this.#input.length === 0) return;
      }
      if (this.#shared.turns.isSpent) {
        await this.#shared.turns.next(this.#c.socket.remoteAddr.hostname);
        if (this.#lost) return;
      }
      // RFC 9112 8
      const reusable = this.#serve(request ?? badRequest("the connection ended within a head"));
      if (!(typeof reusable === "boolean" ? reusable : await reusable)) return;
      if (this.#input.length > 0) this.#shared.turns.countRequest();
      this.#phase = "idle";
    }
  }

  /** Sets the timeout for the rest of a head, or for the next request; false: no request is accepted. */
  #waitForHead(): boolean {
    if (this.#input.length > 0) {
      if (this.#phase === "idle") this.#waitFor("head", this.#options.headerTimeoutMs);
      return true;
    }
    if (this.#stopping) return false;
    this.#waitFor("idle", this.#options.keepAliveTimeoutMs);
    return true;
  }

  /** Serves one request. */
  #serve(request: ParsedRequest | HttpRefusal): Reusable {
    if (this.#shared.observer.isOn) this.#beganAt = this.#clock.now();
    if (request instanceof HttpRefusal) return this.#refuse(request);
    const exchange = prepareExchange(request, this.#setting);
    if (exchange instanceof HttpRefusal) return this.#refuse(exchange);
    this.#exchange = exchange;
    this.#responding = false;
    const response = this.#ask(exchange);
    if (response instanceof Response) return this.#answer(exchange, response);
    if (this.#gone) exchange.abort(clientGone());
    else this.#watch.start(exchange);
    return response.then((response) => this.#answer(exchange, response));
  }

  /** Sends the answer of the application. */
  #answer(exchange: Exchange, response: Response): Reusable {
    // Even if the application has caught the error, the client learns what was wrong.
    const refusal = exchange.body?.refusal;
    if (this.#lost || refusal) discardResponse(response);
    if (this.#lost) return false;
    if (this.#isRepeating && response.status !== 101) return this.#endRepetition(response);
    if (refusal) return this.#refuse(refusal);
    if (response.status === 101) return this.#upgrade(exchange, response);
    return this.#respond(exchange, withFileLength(response, exchange.head));
  }

  /** Takes the next request out of the input, if its head is complete. */
  #nextRequest(): ParsedRequest | HttpRefusal | undefined {
    const request = this.#reader.next(this.#phase === "idle");
    if (request === undefined) return undefined;
    this.#phase = "serve";
    this.#deadlines.clearRead();
    return request;
  }

  /** The response of the application, or an error response. */
  #ask(exchange: Exchange): Response | Promise<Response> {
    const { request, upgrade } = exchange;
    // OPTIONS *: Fetch has no URL for it, and RFC 9110 9.3.7 requires no content.
    if (!request) return new Response(null, { status: 204 });
    try {
      const response = this.#app.fetch(request, this.#envFor(upgrade));
      return isSendable(response) ? response : this.#whenAnswered(exchange, response);
    } catch (error) {
      return this.#failed(exchange, error);
    }
  }

  async #whenAnswered(
    exchange: Exchange,
    promised: Response | Promise<Response>,
  ): Promise<Response> {
    try {
      return checkSendable(await promised);
    } catch (error) {
      return this.#failed(exchange, error);
    }
  }

  #failed({ head, body }: Exchange, error: unknown): Response {
    // The client is gone, and the handler failed because of the abort.
    if (this.#gone && !body?.refusal) this.#lost = true;
    if (!this.#lost && !body?.refusal) this.#logFailure(head, error);
    return internalServerError();
  }

  #respond(exchange: Exchange, response: Response): Reusable {
    exchange.closeUpgrade();
    this.#responding = true;
    this.#status = response.status;
    const { head, body } = exchange;
    const drainable = !body || body.ended || body.drainable(this.#options.maxDrainBytes);
    const plan = this.#planFor(head, drainable && !this.#stopping && wantsKeepAlive(head));
    const reusable = this.#send(exchange, response, plan);
    if (typeof reusable !== "boolean") this.#keepWatching();
    if (reusable !== true || body) return this.#finish(exchange, reusable);
    this.#endExchange();
    return true;
  }

  /**
   * Waits until the response is sent, reads the rest of the request body, and closes if no request
   * can follow.
   */
  async #finish(exchange: Exchange, sent: Reusable): Promise<boolean> {
    let reusable = await sent;
    if (this.#lost) return false;
    exchange.complete();
    const { body } = exchange;
    if (body && !body.ended) {
      body.detach();
      reusable &&= await body.drain(this.#options.maxDrainBytes);
    }
    this.#endExchange();
    if (!reusable) await this.#linger();
    return reusable;
  }

  #endExchange(): void {
    this.#report();
    this.#exchange = undefined;
    this.#watch.stop();
  }

  /** The current request has ended. */
  #report(): void {
    const status = this.#status;
    this.#status = 0;
    if (this.#beganAt === undefined) return;
    const { observer } = this.#shared;
    observer.ended(this.#clock, this.#beganAt, status);
    this.#beganAt = undefined;
    if (!observer.isLogging) return;
    const head = this.#exchange?.head;
    const protocol = head?.http11 === false ? "HTTP/1.0" : "HTTP/1.1";
    const bytes = status === 0 ? 0 : this.#writer.contentBytes;
    observer.log(this.#c, { head, status, bytes, protocol });
  }

  #keepWatching(): void {
    if (this.#exchange && !this.#lost) this.#watch.start(this.#exchange);
  }

  #send(exchange: Exchange, response: Response, plan: ResponsePlan): Reusable {
    try {
      const sent = this.#writer.send(response, plan);
      if (typeof sent === "boolean") return sent;
      return sent.catch((error) => this.#recover(exchange, plan, error));
    } catch (error) {
      return this.#recover(exchange, plan, error);
    }
  }

  /** Sending the response has failed. */
  #recover(exchange: Exchange, plan: ResponsePlan, error: unknown): Reusable {
    if (this.#lost) return false;
    const refusal = exchange.body?.refusal;
    if (!refusal && !this.#gone) this.#logFailure(exchange.head, error);
    if (this.#writer.started) {
      // An incomplete response must not look complete (RFC 9112 8).
      this.#lost = true;
      this.#c.socket.abort(error);
      return false;
    }
    if (!refusal && this.#gone) return false;
    this.#status = refusal?.status ?? 500;
    if (!refusal) return this.#writer.send(internalServerError(), plan);
    return this.#writer.send(responseOf(refusal), { ...plan, keepAlive: false });
  }

  /** Sends 101 and passes the connection to the takeover (RFC 9110 15.2.2). */
  async #upgrade(exchange: Exchange, response: Response): Promise<boolean> {
    const takeover = exchange.closeUpgrade();
    if (!takeover) {
      this.#logFailure(exchange.head, upgradeMissing());
      return await this.#respond(exchange, internalServerError());
    }
    this.#status = 101;
    // After a move, the stack that froze the connection has already sent the 101 response.
    if (!this.#isRepeating) {
      await this.#writer.switchProtocols(response, this.#dateNow());
    }
    this.#isRepeating = false;
    this.#endExchange();
    this.#deadlines.clearRead();
    const { socket, clock, log, signal } = this.#c;
    const head = headOf(exchange.head);
    const canMoveWhen = (isIdle: () => boolean) => this.#upgraded = { head, isIdle };
    await takeover({ socket, clock, log, signal, input: this.#input, canMoveWhen });
    return false;
  }

  /** Aborts a moved connection, because the application did not upgrade it again and HTTP has ended on it. */
  #endRepetition(response: Response): false {
    discardResponse(response);
    this.#c.socket.abort(new Error("the application does not continue a moved connection"));
    return false;
  }

  /** Answers an invalid request and closes: the start of the next request is unknown. */
  async #refuse(refusal: HttpRefusal): Promise<boolean> {
    this.#responding = true;
    this.#status = refusal.status;
    this.#phase = "serve";
    this.#deadlines.clearRead();
    this.#c.log.debug("http: request refused", { ...refusal });
    // A response to HEAD has no content (RFC 9110 9.3.2).
    const headOnly = this.#exchange?.head.method === "HEAD";
    const plan = { headOnly, http11: true, keepAlive: false, date: this.#dateNow() };
    await this.#writer.send(responseOf(refusal), plan);
    this.#report();
    this.#exchange?.body?.detach();
    await this.#linger();
    return false;
  }

  /**
   * Closes this side, then reads and discards until the client closes its own, within bounds: closing at
   * once could reset the connection before the client has read the response (RFC 9112 9.6).
   */
  async #linger(): Promise<void> {
    this.#waitFor("linger", this.#options.lingerTimeoutMs);
    await this.#c.socket.closeWrite();
    for (let read = 0; read <= this.#options.maxDrainBytes; read += this.#input.length) {
      this.#input.start = this.#input.end;
      if (!(await this.#input.fill())) return;
    }
  }

  /**
   * The client has closed its side. It may still read, but clients that close early are gone in
   * practice, and other servers assume this too. A response that is complete when the application
   * returns it is still sent.
   */
  #leave(): void {
    const exchange = this.#exchange;
    if (!exchange) return;
    if (this.#lost || this.#gone) return;
    this.#gone = true;
    this.#c.log.debug("http: the client has closed the connection");
    exchange.endBody();
    const reason = clientGone();
    exchange.abort(reason);
    this.#writer.cancel(reason);
  }

  #planFor(head: RequestHead, keepAlive: boolean): ResponsePlan {
    const headOnly = head.method === "HEAD";
    return { headOnly, http11: head.http11, keepAlive, date: this.#dateNow() };
  }

  #dateNow(): string {
    return this.#shared.date.at(this.#clock.now());
  }

  async #fillBody(): Promise<boolean> {
    this.#deadlines.setRead(this.#options.bodyTimeoutMs);
    this.#isFillingBody = true;
    const filled = await this.#input.fill(true);
    this.#isFillingBody = false;
    this.#deadlines.clearRead();
    if (filled) this.#keepWatching();
    else this.#leave();
    return filled;
  }

  async #sendContinue(): Promise<void> {
    if (!this.#responding) await this.#write(CONTINUE);
  }

  /** Writes `bytes`. Returns a promise only if the send buffer has no room for all of them. */
  #write(bytes: Uint8Array): Promise<void> | undefined {
    const taken = this.#c.socket.tryWrite(bytes);
    return taken === bytes.length ? undefined : this.#writeRest(bytes.subarray(taken));
  }

  #writeRest(bytes: Uint8Array): Promise<void> {
    return this.#withinWriteTimeout(this.#c.socket.write(bytes));
  }

  #directWriter(): DirectWriter | undefined {
    const direct = directWriterOf(this.#c.socket);
    return direct && {
      get room() {
        return direct.room;
      },
      tryFill: (max, fill) => direct.tryFill(max, fill),
      whenRoom: (bytes) => this.#withinWriteTimeout(direct.whenRoom(bytes)),
    };
  }

  /** Waits until the client has made room, but no longer than the write timeout. */
  async #withinWriteTimeout(written: Promise<unknown>): Promise<void> {
    this.#deadlines.setWrite(this.#options.writeTimeoutMs);
    try {
      await written;
    } catch (error) {
      this.#lose(error);
      throw error;
    }
    this.#deadlines.clearWrite();
  }

  #waitFor(phase: Phase, ms: number): void {
    this.#phase = phase;
    this.#deadlines.setRead(ms);
  }

  #expire(wait: Wait): void {
    const { socket, log } = this.#c;
    if (wait === "write") {
      log.debug("http: the client does not read the response");
      socket.abort(new Error("The client does not read the response"));
    } else if (this.#phase === "head") {
      this.#expireHead();
    } else if (this.#phase === "serve") {
      this.#expireServing();
    } else {
      this.#closeQuietly();
    }
  }

  #expireServing(): void {
    const exchange = this.#exchange;
    if (!exchange) return;
    if (this.#isFillingBody) {
      exchange.body?.fail(new HttpRefusal(408, "the request body did not arrive in time"));
    } else if (this.#c.socket.state === "CLOSE-WAIT") {
      this.#leave();
    } else {
      this.#keepWatching();
    }
  }

  /** Sends 408 and closes at once: a silent client sends nothing that could cause a reset. */
  #expireHead(): void {
    const refusal = new HttpRefusal(408, "the request did not arrive in time");
    const plan = { headOnly: false, http11: true, keepAlive: false, date: this.#dateNow() };
    this.#timedOut = true;
    const close = () => this.#closeQuietly();
    Promise.resolve(this.#writer.send(responseOf(refusal), plan)).then(close, close);
  }

  /** The stack is closing, or the socket is closed. */
  #stop(): void {
    this.#stopping = true;
    if (this.#phase === "idle") this.#closeQuietly();
  }

  /** Ends the pending read, and with it `run`. */
  #closeQuietly(): void {
    this.#c.socket.close().catch(() => {});
  }

  #lose(error: unknown): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#report();
    this.#c.log.debug("http: connection lost", { error });
    this.#watch.stop();
    const reason = clientGone();
    this.#exchange?.abort(reason);
    this.#writer.cancel(reason);
  }

  #logFailure({ method, target }: RequestHead, error: unknown): void {
    this.#c.log.error("http: the application failed", {
      method,
      target,
      error,
      stack: stackOf(error),
    });
  }
}

/** The head as it was sent. */
function headOf({ method, target, fields }: RequestHead): string {
  let text = `${method} ${target} HTTP/1.1\r\n`;
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return `${text}\r\n`;
}
