/**
 * One test: the messages on its control connection, and its data connections.
 *
 * @module
 */
import { messageOf } from "../../core/api/error_text.ts";
import type { Context, TcpSocket } from "../../core/api/types.ts";
import { type Channel, ChannelError } from "./channel.ts";
import {
  formatResults,
  MAX_PARAMETERS,
  MAX_RESULTS,
  type Parameters,
  parseParameters,
  STATE,
  streamId,
} from "./protocol.ts";
import { DataStream } from "./stream.ts";

/** Time limit of each step, in milliseconds. */
const STEP_MS = 10_000;

/** Time limits of a test, in milliseconds. */
export interface TestLimits {
  readonly totalMs: number;
  /** Longest time without a byte on any data connection. */
  readonly idleMs: number;
}

/** A data connection, and its number in the order of arrival. */
interface Arrival {
  readonly stream: DataStream;
  readonly order: number;
}

/** The test of one control connection. */
export class Test {
  readonly #cookie: string;
  readonly #channel: Channel;
  readonly #context: Context;
  readonly #limits: TestLimits;
  readonly #arrivals: Arrival[] = [];
  /** Data connections still expected; 0 except in CREATE_STREAMS. */
  #missing = 0;
  readonly #complete = Promise.withResolvers<void>();
  /** Aborted when bytes are no longer counted. */
  readonly #stop = new AbortController();
  /** Resolved when the data connections may close. */
  readonly #over = Promise.withResolvers<void>();
  #cancelLimit: (() => void) | undefined;
  #startedAt = 0;

  constructor(cookie: string, channel: Channel, context: Context, limits: TestLimits) {
    this.#cookie = cookie;
    this.#channel = channel;
    this.#context = context;
    this.#limits = limits;
  }

  /** Whether a data connection with this cookie is expected. */
  expects(cookie: string): boolean {
    return this.#missing > 0 && cookie === this.#cookie;
  }

  /** Adds a data connection; resolves when it may close. */
  async carry(socket: TcpSocket, order: number): Promise<void> {
    this.#arrivals.push({ stream: new DataStream(socket), order });
    if (--this.#missing === 0) this.#complete.resolve();
    await this.#over.promise;
  }

  /** Runs the test; all connections and timers are cleaned up, whatever the client does. */
  async run(): Promise<void> {
    try {
      await this.#converse();
    } catch (error) {
      this.#context.log.info("test aborted", { reason: messageOf(error) });
      this.#abort();
    } finally {
      this.#cancelLimit?.();
      this.#stop.abort();
      this.#over.resolve();
    }
  }

  async #converse(): Promise<void> {
    const channel = this.#channel;
    this.#limit(STEP_MS);
    await channel.sendState(STATE.PARAM_EXCHANGE);
    const parameters = parseParameters(await channel.readJson(MAX_PARAMETERS));
    if (typeof parameters === "number") {
      return await channel.sendState(STATE.SERVER_ERROR, parameters);
    }
    const streams = await this.#createStreams(parameters);
    this.#limit(Math.min(duration(parameters), this.#limits.totalMs), () => this.#terminate());
    await this.#measure(parameters, streams);
    this.#limit(STEP_MS);
    await this.#exchangeResults(parameters, streams);
  }

  /** Waits for the data connections; returns them in the order in which the client opened them. */
  async #createStreams({ parallel, bidirectional }: Parameters): Promise<DataStream[]> {
    this.#missing = bidirectional ? 2 * parallel : parallel;
    await this.#channel.sendState(STATE.CREATE_STREAMS);
    await this.#waitWhileConnected(this.#complete.promise);
    return this.#arrivals.sort((a, b) => a.order - b.order).map(({ stream }) => stream);
  }

  /** From TEST_START to the client's TEST_END. */
  async #measure(parameters: Parameters, streams: readonly DataStream[]): Promise<void> {
    const { clock } = this.#context;
    await this.#channel.sendState(STATE.TEST_START);
    await this.#channel.sendState(STATE.TEST_RUNNING);
    this.#startedAt = clock.now();
    this.#carryAll(parameters, streams);
    const omit = parameters.omit * 1000;
    const cancel = clock.schedule(this.#startedAt + omit, () => this.#restart(omit, streams));
    const stopWatching = this.#watch(streams);
    try {
      await this.#expectState(STATE.TEST_END);
    } finally {
      cancel();
      stopWatching();
      this.#stop.abort();
    }
  }

  /** With `--bidir`, the client sends on the first half of the connections. */
  #carryAll(parameters: Parameters, streams: readonly DataStream[]): void {
    const { reverse, bidirectional, parallel, len } = parameters;
    const { signal } = this.#stop;
    const received = bidirectional ? parallel : reverse ? 0 : streams.length;
    const block = new Uint8Array(len);
    for (const [index, stream] of streams.entries()) {
      const done = index < received
        ? stream.receive(signal)
        : stream.send(block, parameters, this.#context.clock, signal);
      // A broken data connection does not end the test: that is up to the client.
      done.catch((error: unknown) =>
        this.#context.log.debug("data connection broke", { reason: messageOf(error) })
      );
    }
  }

  /** Aborts the test when no byte has been counted for the idle time; checks four times in each idle time. */
  #watch(streams: readonly DataStream[]): () => void {
    const { clock } = this.#context;
    const { idleMs } = this.#limits;
    let seen = 0;
    let seenAt = clock.now();
    let cancel = () => {};
    const look = () => {
      const now = clock.now();
      const bytes = streams.reduce((sum, stream) => sum + stream.bytes, 0);
      if (bytes !== seen) [seen, seenAt] = [bytes, now];
      if (now >= seenAt + idleMs) return this.#abort();
      cancel = clock.schedule(Math.min(seenAt + idleMs, now + idleMs / 4), look);
    };
    look();
    return () => cancel();
  }

  #restart(omit: number, streams: readonly DataStream[]): void {
    if (omit === 0) return;
    this.#startedAt = this.#context.clock.now();
    for (const stream of streams) stream.reset();
  }

  async #exchangeResults(parameters: Parameters, streams: readonly DataStream[]): Promise<void> {
    const channel = this.#channel;
    const seconds = (this.#context.clock.now() - this.#startedAt) / 1000;
    const results = streams.map((stream, index) => ({
      id: streamId(index),
      bytes: stream.bytes,
      retransmits: stream.retransmits,
      seconds,
    }));
    await channel.sendState(STATE.EXCHANGE_RESULTS);
    await channel.readJson(MAX_RESULTS);
    await channel.sendJson(formatResults(parameters.reverse || parameters.bidirectional, results));
    await channel.sendState(STATE.DISPLAY_RESULTS);
    await this.#expectState(STATE.IPERF_DONE);
    const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
    this.#context.log.info("test finished", { streams: streams.length, bytes, seconds });
  }

  async #expectState(expected: number): Promise<void> {
    const state = await this.#channel.readState();
    if (state === expected) return;
    const said = state === STATE.CLIENT_TERMINATE
      ? "has terminated the test"
      : `sent state ${state}`;
    throw new ChannelError(`the client ${said}`);
  }

  /** Waits for `awaited`, or throws when the control connection ends. */
  async #waitWhileConnected(awaited: Promise<void>): Promise<void> {
    const { socket } = this.#context;
    const ended = socket.closed.then(() => {
      throw new ChannelError("the client has gone");
    });
    ended.catch(() => {});
    await Promise.race([awaited, ended]);
  }

  /** Sets the time limit of this step. */
  #limit(ms: number, expire: () => void = () => this.#abort()): void {
    const { clock } = this.#context;
    this.#cancelLimit?.();
    this.#cancelLimit = clock.schedule(clock.now() + ms, expire);
  }

  /** Asks the client to end a test whose duration is over. */
  #terminate(): void {
    this.#stop.abort();
    this.#channel.sendState(STATE.SERVER_TERMINATE).catch(() => {});
    this.#limit(STEP_MS);
  }

  /** Aborts every connection of the test. */
  #abort(): void {
    for (const { stream } of this.#arrivals) stream.abort();
    this.#context.socket.abort();
  }
}

/** Milliseconds within which the client should have ended the test. */
function duration({ time, omit }: Parameters): number {
  return time === 0 ? Infinity : (time + omit) * 1000 + STEP_MS;
}
