/**
 * One connection: reads and writes the socket, calls the application, enforces timeouts.
 *
 * @module
 */
import { stackOf } from "../../core/api/error_text.ts";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import type { Context } from "../../core/api/types.ts";
import { type BurstClock, burstClockOf } from "../shared/http/burst_clock.ts";
import { ConnectionTimeouts, type Wait } from "../shared/http/connection_timeouts.ts";
import type { DateField } from "../shared/http/date.ts";
import { envOf } from "../shared/http/env.ts";
import type { FetchApp } from "../shared/http/fetch_app.ts";
import { Input } from "../shared/http/input.ts";
import type { RequestObserver } from "../shared/http/request_observer.ts";
import type { Turns } from "../shared/http/turns.ts";
import { checkRequest, type ParsedRequest, RefusedRequest } from "./parsed_request.ts";
import { Exchange, type ExchangeHost } from "./exchange.ts";
import { ExchangeDeadlines } from "./exchange_deadlines.ts";
import { Http2Fault } from "./fault.ts";
import { ERROR } from "./frames.ts";
import type { CheckedHttp2Options } from "./options.ts";
import { Http2Session } from "./session.ts";
import { SessionWriter } from "./session_writer.ts";
import type { Http2Stream } from "./stream.ts";

/** State that all connections of one application share. */
export interface SharedState {
  /** The Date field. */
  readonly date: DateField;
  /** Limits large bodies per turn of the event loop. */
  readonly turns: Turns;
  /** Measures requests. */
  readonly observer: RequestObserver;
}

/**
 * The state of the connection, which decides how a read timeout is handled. `"drain"`: the server has ended
 * its side and waits for the client's FIN. `"gone"`: the client has sent its FIN and responses are pending.
 */
type Phase = "head" | "idle" | "busy" | "drain" | "gone";

/** Reading pauses while more output than this is unsent, since input can cause output. */
const MAX_UNSENT_BYTES = 65_536;
/** After a read of this size the next one uses a larger buffer. */
const MANY_BYTES = 4096;
/** Maximum number of bytes discarded while waiting for the FIN. */
const MAX_DRAINED_BYTES = 262_144;

/** Serves the requests of one connection. */
export class Http2Connection {
  readonly #c: Context;
  readonly #clock: BurstClock;
  readonly #options: CheckedHttp2Options;
  readonly #shared: SharedState;
  readonly #input: Input;
  readonly #session: Http2Session<ParsedRequest | RefusedRequest>;
  readonly #host: ExchangeHost;
  readonly #timeouts: ConnectionTimeouts;
  readonly #writer: SessionWriter;
  readonly #deadlines: ExchangeDeadlines;
  readonly #exchanges = new Map<Http2Stream, Exchange>();
  #phase: Phase = "idle";
  /** The read timeout of `#phase` is armed. */
  #isWaiting = false;
  /** Handlers that have not settled, including those whose streams were reset. */
  #running = 0;
  #isShuttingDown = false;
  #cancelShutdown: (() => void) | undefined;
  #isLost = false;
  #whenEmpty: (() => void) | undefined;

  /** Serves `c.socket`. `hasPreface`: the client's preface has been read already. */
  constructor(
    c: Context,
    app: FetchApp,
    options: CheckedHttp2Options,
    shared: SharedState,
    hasPreface: boolean,
  ) {
    this.#c = c;
    this.#options = options;
    this.#shared = shared;
    this.#input = new Input(c.socket);
    this.#clock = burstClockOf(c.clock);
    this.#timeouts = new ConnectionTimeouts(this.#clock, (wait) => this.#expire(wait));
    this.#deadlines = new ExchangeDeadlines(c.clock, () => this.#exchanges.values());
    this.#host = this.#makeHost(app);
    const setting = {
      maxBodyBytes: options.maxBodyBytes,
      authority: formatHostPort(c.socket.localAddr),
      scheme: c.socket.upgraded ? "https" : "http",
    } as const;
    this.#session = new Http2Session<ParsedRequest | RefusedRequest>(options, {
      parse: (head) => checkRequest(head, setting),
      request: (stream, parsed) => this.#serve(stream, parsed),
      closed: (stream) => {
        this.#exchanges.delete(stream);
        // Restart the idle timeout.
        if (this.#phase === "idle") this.#isWaiting = false;
      },
    }, hasPreface);
    const { writeTimeoutMs } = options;
    this.#writer = new SessionWriter(c.socket, this.#session, this.#timeouts, writeTimeoutMs, {
      flushed: () => {
        if (this.#exchanges.size === 0 && this.#session.output.length === 0) this.#becomeIdle();
        this.#endIfDone();
      },
      failed: () => this.#lose(),
    });
  }

  /** Serves until the client ends, the connection breaks or the stack closes. */
  async run(): Promise<void> {
    const { signal, socket, log } = this.#c;
    const stop = () => this.#stop();
    signal.addEventListener("abort", stop);
    socket.closed.catch(() => this.#lose());
    if (signal.aborted) stop();
    try {
      await this.#receiveAll();
    } catch (error) {
      // A client that goes away is not an error of the server.
      if (!this.#isLost && !(error instanceof TcpError)) throw error;
      log.debug("http2: connection lost", { error });
    } finally {
      signal.removeEventListener("abort", stop);
      this.#lose();
      this.#timeouts.dispose();
      this.#deadlines.dispose();
      this.#cancelShutdown?.();
      if (this.#session.counts.size > 0) log.debug("http2: connection ended", this.#counts());
    }
  }

  // ---------------------------------------------------------------- receiving

  async #receiveAll(): Promise<void> {
    const input = this.#input;
    let drained = 0;
    let isMuch = false;
    this.#writer.flush();
    while (true) {
      while (this.#writer.writing && this.#session.output.length > MAX_UNSENT_BYTES) {
        await this.#writer.writing;
      }
      this.#setPhase();
      if (!(await input.fill(isMuch))) break;
      const count = input.length;
      isMuch = count >= MANY_BYTES;
      if (this.#phase === "drain") {
        input.start = input.end;
        if ((drained += count) > MAX_DRAINED_BYTES) return;
        continue;
      }
      this.#writer.isCorked = true;
      input.start = this.#session.receive(
        input.bytes,
        input.start,
        input.end,
        this.#clock.now(),
      );
      this.#writer.isCorked = false;
      if (this.#session.isShutdownAcknowledged) this.#session.goAway(ERROR.noError, "");
      if (this.#session.fault) this.#logFault(this.#session.fault);
      this.#writer.flush();
    }
    if (this.#phase !== "drain") await this.#leave();
  }

  #logFault({ codeName, reason }: Http2Fault): void {
    const { log, socket } = this.#c;
    const remote = formatHostPort(socket.remoteAddr);
    const { abuse } = this.#session;
    if (abuse === undefined) {
      return log.debug("http2: the client violated the protocol", {
        remote,
        code: codeName,
        reason,
      });
    }
    log.info("http2: connection ended for abuse", { remote, abuse, ...this.#counts() });
  }

  #counts(): { counts: string } {
    const counts = [...this.#session.counts].map(([name, count]) => `${name}: ${count}`);
    return { counts: counts.join(", ") };
  }

  #setPhase(): void {
    if (this.#phase === "drain") return;
    const { headerTimeoutMs, keepAliveTimeoutMs } = this.#options;
    if (this.#input.length > 0 || !this.#session.isBetweenHeads) {
      if (this.#phase !== "head") this.#waitFor("head", headerTimeoutMs);
    } else if (this.#session.streams.size > 0) {
      this.#phase = "busy";
      this.#timeouts.clearRead();
    } else if (this.#phase !== "idle" || !this.#isWaiting) {
      this.#waitFor("idle", keepAliveTimeoutMs);
    }
  }

  #waitFor(phase: Phase, ms: number): void {
    this.#phase = phase;
    this.#isWaiting = true;
    this.#timeouts.setRead(ms);
  }

  // ---------------------------------------------------------------- requests

  #serve(stream: Http2Stream, parsed: ParsedRequest | RefusedRequest): boolean {
    // RFC 9113 10.5: resetting a stream does not stop its handler, so handlers are limited too.
    if (this.#running >= this.#options.maxConcurrentStreams) return false;
    if (parsed instanceof RefusedRequest) {
      this.#c.log.debug("http2: request refused", { ...parsed.refusal });
    }
    const exchange = new Exchange(this.#host, stream, parsed);
    stream.handler = exchange;
    this.#exchanges.set(stream, exchange);
    const { turns } = this.#shared;
    turns.countRequest();
    if (turns.isSpent) {
      void turns.next(this.#c.socket.remoteAddr.hostname).then(() => exchange.serve());
    } else exchange.serve();
    return true;
  }

  #makeHost(app: FetchApp): ExchangeHost {
    const c = this.#c;
    const burst = this.#clock;
    const { clock, log, signal, socket } = c;
    const { maxBodyBytes, bodyTimeoutMs, writeTimeoutMs } = this.#options;
    const { date, turns, observer } = this.#shared;
    const envFor = envOf(socket, log);
    return {
      get isObserved() {
        return observer.isOn;
      },
      ended(request, beganAt) {
        observer.ended(burst, beganAt, request.status);
        observer.log(c, request);
      },
      maxBodyBytes,
      bodyTimeoutMs,
      writeTimeoutMs,
      fetch: (request, upgrade) => app.fetch(request, envFor(upgrade)),
      count: (change) => void (this.#running += change),
      date: () => date.at(burst.now()),
      now: () => burst.now(),
      watch: (at) => this.#deadlines.watch(at),
      spend: (bytes) => turns.spend(bytes),
      sendHead: (stream, status, fields, endsStream) => {
        this.#session.sendHead(stream, status, fields, endsStream);
        this.#writer.flushSoon();
      },
      sendData: (stream, data, endsStream) => {
        const isAll = this.#session.sendData(stream, data, endsStream);
        this.#writer.flushSoon();
        return isAll;
      },
      trySendData: (stream, data) => {
        const count = this.#session.trySendData(stream, data);
        if (count > 0) this.#writer.flushSoon();
        return count;
      },
      sendText: (stream, text, endsStream) => {
        const isAll = this.#session.sendText(stream, text, endsStream);
        this.#writer.flushSoon();
        return isAll;
      },
      consume: (stream, bytes) => {
        this.#session.consume(stream, bytes);
        this.#writer.flushSoon();
      },
      reset: (stream, code) => {
        this.#session.reset(stream, code);
        this.#writer.flushSoon();
      },
      resetStalled: (stream) => {
        this.#session.resetStalled(stream, clock.now());
        if (this.#session.fault) this.#logFault(this.#session.fault);
        this.#writer.flushSoon();
      },
      run: (takeover, tunnel) =>
        takeover({ socket: tunnel, input: new Input(tunnel), clock, log, signal }),
      logFailure: ({ method, target }, error) => {
        const stack = stackOf(error);
        log.error("http2: the application failed", { method, target, error, stack });
      },
    };
  }

  /** No stream is open and everything is sent: releases buffers and starts the idle timeout. */
  #becomeIdle(): void {
    this.#writer.shrink();
    if (this.#phase === "busy") this.#waitFor("idle", this.#options.keepAliveTimeoutMs);
  }

  // ---------------------------------------------------------------- the end

  /** The stack is closing, or the socket has failed. */
  #stop(): void {
    if (this.#isShuttingDown || this.#session.fault) return;
    this.#isShuttingDown = true;
    if (this.#session.streams.size === 0) this.#session.goAway(ERROR.noError, "");
    else this.#shutDown();
    this.#writer.flush();
  }

  /** Serves requests in flight until the client acknowledges, for a limited time. */
  #shutDown(): void {
    const { clock } = this.#c;
    this.#session.shutdown();
    this.#cancelShutdown = clock.schedule(clock.now() + this.#options.lingerTimeoutMs, () => {
      this.#session.goAway(ERROR.noError, "");
      this.#writer.flush();
    });
  }

  #endIfDone(): void {
    const { streams, fault, isPeerLeaving } = this.#session;
    if (streams.size > 0) return;
    if (this.#phase === "gone") return this.#whenEmpty?.();
    if (fault || isPeerLeaving || this.#isShuttingDown) this.#end();
  }

  /**
   * Sends FIN and waits for the client's for a limited time: closing at once could reset the connection
   * before the client has read everything (RFC 9112 9.6).
   */
  #end(): void {
    if (this.#phase === "drain" || this.#phase === "gone") return;
    this.#session.goAway(ERROR.noError, "");
    this.#waitFor("drain", this.#options.lingerTimeoutMs);
    this.#writer.flush();
    void this.#closeWrite();
  }

  async #closeWrite(): Promise<void> {
    while (this.#writer.writing) await this.#writer.writing;
    await this.#c.socket.closeWrite().catch(() => {});
  }

  /** The client has sent its FIN: complete responses are still sent, for a limited time. */
  async #leave(): Promise<void> {
    for (const exchange of [...this.#exchanges.values()]) exchange.leave();
    this.#waitFor("gone", this.#options.lingerTimeoutMs);
    if (this.#session.streams.size > 0 && !this.#isLost) {
      await new Promise<void>((resolve) => this.#whenEmpty = resolve);
    }
    this.#writer.flush();
    while (this.#writer.writing && !this.#isLost) await this.#writer.writing;
  }

  #lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#writer.stop();
    for (const exchange of [...this.#exchanges.values()]) exchange.lost();
    this.#whenEmpty?.();
  }

  // ---------------------------------------------------------------- times

  #expire(wait: Wait): void {
    const { socket, log } = this.#c;
    this.#isWaiting = false;
    if (wait === "write") {
      log.debug("http2: the client does not read the response");
      socket.abort(new Error("The client does not read the response"));
    } else if (this.#phase === "idle") {
      this.#end();
    } else if (this.#phase === "head") {
      this.#session.fail(new Http2Fault(ERROR.enhanceYourCalm, "a frame did not arrive in time"));
      this.#logFault(this.#session.fault!);
      this.#end();
    } else if (this.#phase === "gone") {
      this.#whenEmpty?.();
    } else {
      socket.close().catch(() => {});
    }
  }
}
