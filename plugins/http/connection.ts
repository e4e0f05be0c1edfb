/**
 * One connection: a request, its response, the next request (RFC 9112 9).
 *
 * @module
 */
import type { Context, NetAddr } from "../../core/api/types.ts";
import { TcpError } from "../../core/api/errors.ts";
import { bytesOf } from "./characters.ts";
import type { DateField } from "./date.ts";
import { Deadlines, type Wait } from "./deadlines.ts";
import { envOf, type HttpEnv } from "./env.ts";
import { type Exchange, type ExchangeSetting, prepareExchange } from "./exchange.ts";
import { Input } from "./input.ts";
import type { CheckedHttpOptions } from "./options.ts";
import { wantsKeepAlive } from "./persistence.ts";
import { badRequest, Refusal, responseOf } from "./refusal.ts";
import { type RequestHead, RequestHeadParser } from "./request_head.ts";
import { type ResponsePlan, ResponseWriter } from "./response_writer.ts";

/**
 * What the http plugin serves: anything with a `fetch` of this shape, such as a Hono app or the
 * default export of a module for `deno serve`.
 */
export interface FetchApp {
  /** Answers a request; {@link HttpEnv} tells about the connection. */
  fetch(request: Request, env: HttpEnv): Response | Promise<Response>;
}

/** Where the connection stands, and so what waiting for bytes too long means. */
type Phase = "idle" | "head" | "serve" | "linger";

const CONTINUE = bytesOf("HTTP/1.1 100 Continue\r\n\r\n");

/** Serves the requests of one connection, one at a time, in the order of their arrival. */
export class HttpConnection {
  readonly #c: Context;
  readonly #app: FetchApp;
  readonly #options: CheckedHttpOptions;
  readonly #date: DateField;
  readonly #input: Input;
  readonly #parser: RequestHeadParser;
  readonly #deadlines: Deadlines;
  readonly #writer: ResponseWriter;
  readonly #setting: ExchangeSetting;
  readonly #envFor: ReturnType<typeof envOf>;
  #phase: Phase = "idle";
  #filling: Promise<boolean> | undefined;
  #exchange: Exchange | undefined;
  /** The final response is on its way: 100 (Continue) would come too late. */
  #responding = false;
  /** A head did not come in time, and the client has been told. */
  #timedOut = false;
  /** The stack closes: no request follows the one in hand. */
  #stopping = false;
  /** The connection can carry nothing more. */
  #lost = false;

  /** Makes the server's side of `c.socket`. */
  constructor(c: Context, app: FetchApp, options: CheckedHttpOptions, date: DateField) {
    this.#c = c;
    this.#app = app;
    this.#options = options;
    this.#date = date;
    this.#input = new Input(c.socket);
    this.#parser = new RequestHeadParser(options);
    this.#deadlines = new Deadlines(c.clock, (wait) => this.#expire(wait));
    this.#writer = new ResponseWriter((bytes) => this.#write(bytes));
    this.#envFor = envOf(c.socket);
    this.#setting = {
      options,
      authority: authorityOf(c.socket.localAddr),
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
      while (await this.#serveNext());
    } catch (error) {
      // A client that goes away is no fault of this side.
      if (!this.#lost && !(error instanceof TcpError)) throw error;
      this.#c.log.debug("http: connection lost", { error });
    } finally {
      signal.removeEventListener("abort", stop);
      this.#deadlines.dispose();
    }
  }

  /** One request and its response; true when another request may follow. */
  async #serveNext(): Promise<boolean> {
    const head = await this.#readHead();
    if (!head) return false;
    if (head instanceof Refusal) return await this.#refuse(head);
    const exchange = prepareExchange(head, this.#setting);
    if (exchange instanceof Refusal) return await this.#refuse(exchange);
    this.#exchange = exchange;
    this.#responding = false;
    const response = await this.#ask(exchange);
    // An application may have caught it; the client is told what was wrong with its request.
    const refusal = exchange.body?.refusal;
    if (this.#lost || refusal) discard(response);
    if (this.#lost) return false;
    if (refusal) return await this.#refuse(refusal);
    if (response.status === 101) return await this.#upgrade(exchange, response);
    return await this.#respond(exchange, response);
  }

  async #readHead(): Promise<RequestHead | Refusal | undefined> {
    this.#phase = "idle";
    while (true) {
      if (this.#input.length > 0) {
        const head = this.#parseHead();
        if (head) return head;
        if (this.#phase === "idle") this.#waitFor("head", this.#options.headerTimeoutMs);
      } else {
        if (this.#stopping) return undefined;
        this.#waitFor("idle", this.#options.keepAliveTimeoutMs);
      }
      const filled = await this.#fill();
      if (this.#timedOut) return undefined;
      if (filled) continue;
      // RFC 9112 8
      return this.#input.length > 0 ? badRequest("the connection ended within a head") : undefined;
    }
  }

  #parseHead(): RequestHead | Refusal | undefined {
    const { bytes, start, end } = this.#input;
    const head = this.#parser.parse(bytes, start, end);
    if (!head) return undefined;
    if (!(head instanceof Refusal)) this.#input.start += this.#parser.consumed;
    this.#phase = "serve";
    this.#deadlines.clearRead();
    return head;
  }

  /** The application's response, or the server's own when it has none. */
  async #ask({ head, request, body, upgrade }: Exchange): Promise<Response> {
    // Fetch has no URL for "*", and RFC 9110 9.3.7 wants no more than an answer.
    if (!request) return new Response(null, { status: 204 });
    try {
      const response = await this.#app.fetch(request, this.#envFor(upgrade));
      // Response.error() has the status 0.
      if (response instanceof Response && response.status > 0) return response;
      throw new TypeError("The application's fetch() did not return a Response to send");
    } catch (error) {
      if (!this.#lost && !body?.refusal) this.#logFailure(head, error);
      return internalServerError();
    }
  }

  async #respond(exchange: Exchange, response: Response): Promise<boolean> {
    exchange.closeUpgrade();
    this.#responding = true;
    const { head, body } = exchange;
    const { maxDrainBytes } = this.#options;
    const drainable = !body || body.ended || body.drainable(maxDrainBytes);
    const plan = this.#planFor(head, drainable && !this.#stopping && wantsKeepAlive(head));
    let reusable = await this.#send(exchange, response, plan);
    if (this.#lost) return false;
    if (body && !body.ended) {
      body.detach();
      reusable &&= await body.drain(maxDrainBytes);
    }
    this.#exchange = undefined;
    if (!reusable) await this.#linger();
    return reusable;
  }

  async #send(exchange: Exchange, response: Response, plan: ResponsePlan): Promise<boolean> {
    try {
      return await this.#writer.send(response, plan);
    } catch (error) {
      if (this.#lost) return false;
      const refusal = exchange.body?.refusal;
      if (!refusal) this.#logFailure(exchange.head, error);
      if (this.#writer.started) {
        // Half a response must not look like a whole one (RFC 9112 8).
        this.#lost = true;
        this.#c.socket.abort(error);
        return false;
      }
      if (!refusal) return await this.#writer.send(internalServerError(), plan);
      return await this.#writer.send(responseOf(refusal), { ...plan, keepAlive: false });
    }
  }

  /** Hands the connection over once 101 has been sent (RFC 9110 15.2.2). */
  async #upgrade(exchange: Exchange, response: Response): Promise<boolean> {
    const takeover = exchange.closeUpgrade();
    if (!takeover) {
      this.#logFailure(exchange.head, new TypeError("A response of 101 without an upgrade"));
      return await this.#respond(exchange, internalServerError());
    }
    await this.#writer.switchProtocols(response, this.#date.at(this.#c.clock.now()));
    const { socket, clock, log, signal } = this.#c;
    await takeover({ socket, clock, log, signal, input: this.#input });
    return false;
  }

  /** Answers what is not served, and ends: nobody knows where the next request begins. */
  async #refuse(refusal: Refusal): Promise<boolean> {
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
      if (!(await this.#fill())) return;
    }
  }

  #planFor(head: RequestHead, keepAlive: boolean): ResponsePlan {
    const headOnly = head.method === "HEAD";
    return { headOnly, http11: head.http11, keepAlive, date: this.#dateNow() };
  }

  #dateNow(): string {
    return this.#date.at(this.#c.clock.now());
  }

  /** One read of the socket at a time: who comes second waits for the first one's bytes. */
  #fill(large = false): Promise<boolean> {
    if (this.#filling) return this.#filling;
    const filling = this.#input.fill(large);
    this.#filling = filling;
    const done = () => this.#filling = undefined;
    filling.then(done, done);
    return filling;
  }

  async #fillBody(): Promise<boolean> {
    this.#deadlines.setRead(this.#options.bodyTimeoutMs);
    const filled = await this.#fill(true);
    this.#deadlines.clearRead();
    return filled;
  }

  async #sendContinue(): Promise<void> {
    if (!this.#responding) await this.#write(CONTINUE);
  }

  async #write(bytes: Uint8Array): Promise<void> {
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
      this.#exchange?.body?.fail(new Refusal(408, "the request body did not come in time"));
    } else {
      this.#closeQuietly();
    }
  }

  /** The client is silent, so nothing it sends can reset the connection: no lingering. */
  #expireHead(): void {
    const refusal = new Refusal(408, "the request did not come in time");
    const plan = { headOnly: false, http11: true, keepAlive: false, date: this.#dateNow() };
    this.#timedOut = true;
    this.#writer.send(responseOf(refusal), plan)
      .catch(() => {})
      .finally(() => this.#closeQuietly());
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

  #lose(reason: unknown): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#exchange?.abort(reason);
    this.#writer.cancel(reason);
  }

  #logFailure({ method, target }: RequestHead, error: unknown): void {
    this.#c.log.error("http: the application failed", { method, target, error });
  }
}

/** Its source learns that nobody wants it. */
function discard({ body }: Response): void {
  if (body && !body.locked) body.cancel().catch(() => {});
}

function internalServerError(): Response {
  return responseOf(new Refusal(500, "the application failed"));
}

function authorityOf({ hostname, port }: NetAddr): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
