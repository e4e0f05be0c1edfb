/**
 * One connection: a request, its response, the next request (RFC 9112 9).
 *
 * @module
 */
import { stackOf } from "../../core/api/error_text.ts";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import type { Context } from "../../core/api/types.ts";
import { bytesOf } from "../shared/http/characters.ts";
import { ConnectionTimeouts, type Wait } from "../shared/http/connection_timeouts.ts";
import type { DateField } from "../shared/http/date.ts";
import { envOf } from "../shared/http/env.ts";
import type { FetchApp } from "../shared/http/fetch_app.ts";
import type { RequestHead } from "../shared/http/request_head.ts";
import {
  demandOf,
  type Exchange,
  type ExchangeSetting,
  type ParsedRequest,
  prepareExchange,
} from "./exchange.ts";
import { Input } from "../shared/http/input.ts";
import type { CheckedHttpOptions } from "./options.ts";
import { wantsKeepAlive } from "./persistence.ts";
import { badRequest, clientGone, HttpRefusal, responseOf } from "../shared/http/refusal.ts";
import { RepeatedHead } from "../shared/http/repeated_head.ts";
import { RequestHeadParser } from "./request_head.ts";
import { type ResponsePlan, ResponseWriter } from "./response_writer.ts";
import type { Turns } from "../shared/http/turns.ts";

/** What the connections of one application have in common. */
export interface SharedState {
  /** The Date field. */
  readonly date: DateField;
  /** Whose turn it is. */
  readonly turns: Turns;
}

/** Where the connection stands, and so what waiting for bytes too long means. */
type Phase = "idle" | "head" | "serve" | "linger";

/** What is read of the requests behind the one in hand to find the client's FIN, at most. */
const READ_AHEAD_BYTES = 16_384;
/** How often a connection is looked at on which nobody reads, in milliseconds. */
const LOOK_MS = 1000;

const CONTINUE = bytesOf("HTTP/1.1 100 Continue\r\n\r\n");

/** Serves the requests of one connection, one at a time, in the order of their arrival. */
export class HttpConnection {
  readonly #c: Context;
  readonly #app: FetchApp;
  readonly #options: CheckedHttpOptions;
  readonly #shared: SharedState;
  readonly #input: Input;
  readonly #parser: RequestHeadParser;
  readonly #last = new RepeatedHead<ParsedRequest>();
  readonly #deadlines: ConnectionTimeouts;
  readonly #writer: ResponseWriter;
  readonly #setting: ExchangeSetting;
  readonly #envFor: ReturnType<typeof envOf>;
  #phase: Phase = "idle";
  #exchange: Exchange | undefined;
  /** The final response is on its way: 100 (Continue) would come too late. */
  #responding = false;
  /** A head did not come in time, and the client has been told. */
  #timedOut = false;
  /** The stack closes: no request follows the one in hand. */
  #stopping = false;
  /** The connection can carry nothing more. */
  #lost = false;
  /** The client has ended its side while a request was served. */
  #gone = false;
  #isWatching = false;
  #isFillingBody = false;

  /** Makes the server's side of `c.socket`. */
  constructor(c: Context, app: FetchApp, options: CheckedHttpOptions, shared: SharedState) {
    this.#c = c;
    this.#app = app;
    this.#options = options;
    this.#shared = shared;
    this.#input = new Input(c.socket);
    this.#parser = new RequestHeadParser(options);
    this.#deadlines = new ConnectionTimeouts(c.clock, (wait) => this.#expire(wait));
    this.#writer = new ResponseWriter(
      (bytes) => this.#write(bytes),
      (length) => shared.turns.spend(length),
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
  }

  /** Serves until the client ends, the connection breaks or the stack closes. */
  async run(): Promise<void> {
    const { signal, socket } = this.#c;
    const stop = () => this.#stop();
    signal.addEventListener("abort", stop);
    socket.closed.catch((reason) => this.#lose(reason));
    if (signal.aborted) stop();
    try {
      await this.#serveAll();
    } catch (error) {
      // A client that goes away is no fault of this side.
      if (!this.#lost && !(error instanceof TcpError)) throw error;
      this.#c.log.debug("http: connection lost", { error });
    } finally {
      signal.removeEventListener("abort", stop);
      this.#deadlines.dispose();
    }
  }

  /**
   * One request after the other. What is there already and needs nobody else is done without a
   * promise: most requests come whole, and most responses leave whole.
   */
  async #serveAll(): Promise<void> {
    this.#phase = "idle";
    for (;;) {
      const demand = this.#input.length > 0 ? this.#takeDemand() : undefined;
      if (demand === undefined) {
        if (!this.#waitForHead()) return;
        const filled = await this.#input.fill();
        if (this.#timedOut) return;
        if (filled) continue;
        if (this.#input.length === 0) return;
      }
      if (this.#shared.turns.isSpent) {
        await this.#shared.turns.next();
        if (this.#lost) return;
      }
      // RFC 9112 8
      const goesOn = this.#serve(demand ?? badRequest("the connection ended within a head"));
      if (!(typeof goesOn === "boolean" ? goesOn : await goesOn)) return;
      this.#phase = "idle";
    }
  }

  /** Sets how long to wait for the rest of a head; false: there is nothing to wait for. */
  #waitForHead(): boolean {
    if (this.#input.length > 0) {
      if (this.#phase === "idle") this.#waitFor("head", this.#options.headerTimeoutMs);
      return true;
    }
    if (this.#stopping) return false;
    this.#waitFor("idle", this.#options.keepAliveTimeoutMs);
    return true;
  }

  /** One request and its response; true when another request may follow. */
  #serve(demand: ParsedRequest | HttpRefusal): boolean | Promise<boolean> {
    if (demand instanceof HttpRefusal) return this.#refuse(demand);
    const exchange = prepareExchange(demand, this.#setting);
    if (exchange instanceof HttpRefusal) return this.#refuse(exchange);
    this.#exchange = exchange;
    this.#responding = false;
    const response = this.#ask(exchange);
    if (response instanceof Response) return this.#answer(exchange, response);
    if (this.#gone) exchange.abort(clientGone());
    else this.#watch(exchange);
    return response.then((response) => this.#answer(exchange, response));
  }

  /** Sends what the application has answered. */
  #answer(exchange: Exchange, response: Response): boolean | Promise<boolean> {
    // An application may have caught it; the client is told what was wrong with its request.
    const refusal = exchange.body?.refusal;
    if (this.#lost || refusal) discard(response);
    if (this.#lost) return false;
    if (refusal) return this.#refuse(refusal);
    if (response.status === 101) return this.#upgrade(exchange, response);
    return this.#respond(exchange, response);
  }

  /** Takes a head, as soon as all of it is there. */
  #takeDemand(): ParsedRequest | HttpRefusal | undefined {
    const { bytes, start, end } = this.#input;
    // The parser has not begun with this one.
    const repeated = this.#phase === "idle" ? this.#last.find(bytes, start, end) : undefined;
    if (repeated !== undefined) {
      this.#input.start = end;
      this.#beginServing();
      return repeated;
    }
    const head = this.#parser.parse(bytes, start, end);
    if (!head) return undefined;
    this.#beginServing();
    if (head instanceof HttpRefusal) return head;
    this.#input.start += this.#parser.consumed;
    const demand = demandOf(head, this.#setting);
    const isAll = this.#input.length === 0 && !(demand instanceof HttpRefusal);
    if (isAll) this.#last.keep(bytes, start, end, demand);
    return demand;
  }

  #beginServing(): void {
    this.#phase = "serve";
    this.#deadlines.clearRead();
  }

  /** The application's response, or the server's own when it has none. */
  #ask(exchange: Exchange): Response | Promise<Response> {
    const { request, upgrade } = exchange;
    // Fetch has no URL for "*", and RFC 9110 9.3.7 wants no more than an answer.
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
      const response = await promised;
      if (isSendable(response)) return response;
      throw new TypeError("The application's fetch() did not return a Response to send");
    } catch (error) {
      return this.#failed(exchange, error);
    }
  }

  #failed({ head, body }: Exchange, error: unknown): Response {
    // Nobody waits for the answer of a handler that the abort has ended.
    if (this.#gone && !body?.refusal) this.#lost = true;
    if (!this.#lost && !body?.refusal) this.#logFailure(head, error);
    return internalServerError();
  }

  #respond(exchange: Exchange, response: Response): boolean | Promise<boolean> {
    exchange.closeUpgrade();
    this.#responding = true;
    const { head, body } = exchange;
    const drainable = !body || body.ended || body.drainable(this.#options.maxDrainBytes);
    const plan = this.#planFor(head, drainable && !this.#stopping && wantsKeepAlive(head));
    const reusable = this.#send(exchange, response, plan);
    if (typeof reusable !== "boolean") this.#watch(exchange);
    if (reusable !== true || body) return this.#finish(exchange, reusable);
    this.#exchange = undefined;
    return true;
  }

  /** What is to be done behind a response before the next request. */
  async #finish(exchange: Exchange, sent: boolean | Promise<boolean>): Promise<boolean> {
    let reusable = await sent;
    if (this.#lost) return false;
    exchange.complete();
    const { body } = exchange;
    if (body && !body.ended) {
      body.detach();
      reusable &&= await body.drain(this.#options.maxDrainBytes);
    }
    this.#exchange = undefined;
    if (!reusable) await this.#linger();
    return reusable;
  }

  #send(exchange: Exchange, response: Response, plan: ResponsePlan): boolean | Promise<boolean> {
    try {
      const sent = this.#writer.send(response, plan);
      if (typeof sent === "boolean") return sent;
      return sent.catch((error) => this.#recover(exchange, plan, error));
    } catch (error) {
      return this.#recover(exchange, plan, error);
    }
  }

  /** The response cannot be sent, or not to its end. */
  #recover(exchange: Exchange, plan: ResponsePlan, error: unknown): boolean | Promise<boolean> {
    if (this.#lost) return false;
    const refusal = exchange.body?.refusal;
    if (!refusal && !this.#gone) this.#logFailure(exchange.head, error);
    if (this.#writer.started) {
      // Half a response must not look like a whole one (RFC 9112 8).
      this.#lost = true;
      this.#c.socket.abort(error);
      return false;
    }
    if (!refusal && this.#gone) return false;
    if (!refusal) return this.#writer.send(internalServerError(), plan);
    return this.#writer.send(responseOf(refusal), { ...plan, keepAlive: false });
  }

  /** Hands the connection over once 101 has been sent (RFC 9110 15.2.2). */
  async #upgrade(exchange: Exchange, response: Response): Promise<boolean> {
    const takeover = exchange.closeUpgrade();
    if (!takeover) {
      this.#logFailure(exchange.head, new TypeError("A response of 101 without an upgrade"));
      return await this.#respond(exchange, internalServerError());
    }
    await this.#writer.switchProtocols(response, this.#shared.date.at(this.#c.clock.now()));
    this.#exchange = undefined;
    this.#deadlines.clearRead();
    const { socket, clock, log, signal } = this.#c;
    await takeover({ socket, clock, log, signal, input: this.#input });
    return false;
  }

  /** Answers what is not served, and ends: nobody knows where the next request begins. */
  async #refuse(refusal: HttpRefusal): Promise<boolean> {
    this.#responding = true;
    this.#phase = "serve";
    this.#deadlines.clearRead();
    this.#c.log.debug("http: request refused", { ...refusal });
    // HEAD must not get content (RFC 9110 9.3.2), and what was no HEAD does not miss it.
    const headOnly = this.#exchange?.head.method === "HEAD";
    const plan = { headOnly, http11: true, keepAlive: false, date: this.#dateNow() };
    await this.#writer.send(responseOf(refusal), plan);
    this.#exchange?.body?.detach();
    await this.#linger();
    return false;
  }

  /**
   * Ends this side and waits, within bounds, for the client to end its own: closing at once could
   * reset the connection before the client has read the response (RFC 9112 9.6).
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
   * Looks out for the client's FIN while a request is served (RFC 9112 9.5): reads on, for what follows
   * is the next request's. Before the end of a body, and where many requests wait already, nothing is
   * read that nobody has asked for; there a look at the connection has to do.
   */
  #watch(exchange: Exchange): void {
    if (this.#isWatching || this.#exchange !== exchange || this.#lost) return;
    const expectsBody = exchange.body !== undefined && !exchange.body.ended;
    if (expectsBody || this.#input.length >= READ_AHEAD_BYTES) {
      return this.#deadlines.setRead(LOOK_MS);
    }
    this.#isWatching = true;
    this.#input.fill().then((filled) => {
      this.#isWatching = false;
      if (filled) this.#watch(exchange);
      else if (this.#exchange === exchange) this.#leave(exchange);
    }, (error) => {
      this.#isWatching = false;
      if (this.#exchange === exchange) this.#lose(error);
    });
  }

  /**
   * The client has ended its side, and so, as HTTP is used, has gone: nobody knows, and other servers
   * take it for that. A response that is complete when it is returned still goes out.
   */
  #leave(exchange: Exchange): void {
    if (this.#lost || this.#gone) return;
    this.#gone = true;
    this.#c.log.debug("http: the client has gone away");
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
    return this.#shared.date.at(this.#c.clock.now());
  }

  async #fillBody(): Promise<boolean> {
    this.#deadlines.setRead(this.#options.bodyTimeoutMs);
    this.#isFillingBody = true;
    const filled = await this.#input.fill(true);
    this.#isFillingBody = false;
    this.#deadlines.clearRead();
    if (!this.#exchange) return filled;
    if (filled) this.#watch(this.#exchange);
    else this.#leave(this.#exchange);
    return filled;
  }

  async #sendContinue(): Promise<void> {
    if (!this.#responding) await this.#write(CONTINUE);
  }

  /** Writes what fits at once; waits for room for the rest, if there is any. */
  #write(bytes: Uint8Array): Promise<void> | undefined {
    const taken = this.#c.socket.tryWrite(bytes);
    return taken === bytes.length ? undefined : this.#writeRest(bytes.subarray(taken));
  }

  async #writeRest(bytes: Uint8Array): Promise<void> {
    this.#deadlines.setWrite(this.#options.writeTimeoutMs);
    try {
      await this.#c.socket.write(bytes);
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
      log.debug("http: the client does not take the response");
      socket.abort(new Error("The client does not take the response"));
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
      exchange.body?.fail(new HttpRefusal(408, "the request body did not come in time"));
    } else if (this.#c.socket.state === "CLOSE-WAIT") {
      this.#leave(exchange);
    } else {
      this.#watch(exchange);
    }
  }

  /** The client is silent, so nothing it sends can reset the connection: no lingering. */
  #expireHead(): void {
    const refusal = new HttpRefusal(408, "the request did not come in time");
    const plan = { headOnly: false, http11: true, keepAlive: false, date: this.#dateNow() };
    this.#timedOut = true;
    const close = () => this.#closeQuietly();
    Promise.resolve(this.#writer.send(responseOf(refusal), plan)).then(close, close);
  }

  /** The stack closes, or the socket is dead. */
  #stop(): void {
    this.#stopping = true;
    if (this.#phase === "idle") this.#closeQuietly();
  }

  /** A pending read settles, and with it `run`. */
  #closeQuietly(): void {
    this.#c.socket.close().catch(() => {});
  }

  #lose(error: unknown): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#c.log.debug("http: connection lost", { error });
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

/** Response.error() has the status 0. */
function isSendable(response: unknown): response is Response {
  return response instanceof Response && response.status > 0;
}

/** Its source learns that nobody wants it. */
function discard({ body }: Response): void {
  if (body && !body.locked) body.cancel().catch(() => {});
}

function internalServerError(): Response {
  return responseOf(new HttpRefusal(500, "the application failed"));
}
