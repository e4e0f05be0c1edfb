/**
 * A server for `iperf3 --client`.
 *
 * @module
 */
import { z } from "zod";
import { number } from "../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import type { Context } from "../core/api/types.ts";
import { Channel } from "./iperf3/channel.ts";
import { COOKIE_LENGTH, STATE } from "./iperf3/protocol.ts";
import { Test, type TestLimits } from "./iperf3/test.ts";
import { clientOf } from "./shared/client_rotation.ts";
import { withTimeout } from "./shared/with_timeout.ts";

/** Options of {@link iperf3}. */
export interface Iperf3Options {
  /**
   * Longest duration of a test, in seconds, at most 86,400. After that the test is ended, and another client can start
   * one. Default 3600.
   */
  maxSeconds?: number | undefined;
  /**
   * Longest time without a byte on any data connection, in seconds, at most 86,400; after that the
   * test is aborted. Default 120, as for `iperf3 --rcv-timeout`.
   */
  idleSeconds?: number | undefined;
}

/** Time limit for a connection's cookie, in milliseconds. */
const COOKIE_MS = 10_000;
/** How long the client of the last test is refused if another client was told that the server is busy. */
const TURN_MS = 60_000;

/**
 * Measures TCP throughput with `iperf3 --client`: upload, download (`-R`) or both at once
 * (`--bidir`), with up to 128 connections (`-P`). Control and data connections use the same port.
 * One test runs at a time; other clients are told that the server is busy. If that happened during a
 * test, the client of that test is refused for a minute, so that the others get their turn.
 *
 * @example
 * ```ts tun
 * import { createStack } from "@berth/berth";
 * import { openTun } from "@berth/berth/links";
 * import { iperf3 } from "@berth/berth/plugins";
 *
 * const link = await openTun({ name: "berth0", addresses: ["10.7.0.1/24"] });
 * await using stack = createStack({ link, addresses: ["10.7.0.2/24"] });
 * stack.use(5201, iperf3()); // iperf3 --client 10.7.0.2
 * ```
 */
export const iperf3: PluginFactory<Iperf3Options> = definePlugin({
  name: "iperf3",
  options: z.strictObject({
    maxSeconds: number(0.001, 86_400, "seconds").default(3600),
    idleSeconds: number(0.001, 86_400, "seconds").default(120),
  }),
  setup: ({ maxSeconds, idleSeconds }) => {
    const server = new Server({ totalMs: maxSeconds * 1000, idleMs: idleSeconds * 1000 });
    return (c) => server.serve(c);
  },
});

/** The server of one plugin. */
class Server {
  readonly #limits: TestLimits;
  #running: Test | undefined;
  /** The client of the running test, or of the last one. */
  #client: string | undefined;
  /** When another client was last refused because of {@link #client}. */
  #refusedAt = -Infinity;
  #connections = 0;

  constructor(limits: TestLimits) {
    this.#limits = limits;
  }

  /** Every connection starts with the cookie of its test. */
  async serve(c: Context): Promise<void> {
    const order = this.#connections++;
    const channel = new Channel(c.socket);
    const cookie = await readCookie(c, channel);
    if (cookie === undefined) return;
    if (this.#running?.expects(cookie)) return await this.#running.carry(c.socket, order);
    if (!this.#admits(c)) return await channel.sendState(STATE.ACCESS_DENIED);
    this.#running = new Test(cookie, channel, c, this.#limits);
    try {
      await this.#running.run();
    } finally {
      this.#running = undefined;
    }
  }

  /** Whether a client may start a test now. */
  #admits({ socket, clock }: Context): boolean {
    const client = clientOf(socket.remoteAddr.hostname);
    const isOther = client !== this.#client;
    if (this.#running !== undefined) {
      if (isOther) this.#refusedAt = clock.now();
      return false;
    }
    if (!isOther) return clock.now() >= this.#refusedAt + TURN_MS;
    this.#client = client;
    this.#refusedAt = -Infinity;
    return true;
  }
}

/** Reads the cookie; `undefined` if the client has not sent it in time, or has disconnected. */
async function readCookie(c: Context, channel: Channel): Promise<string | undefined> {
  try {
    return await withTimeout(
      c.clock,
      COOKIE_MS,
      () => c.socket.abort(),
      () => channel.readText(COOKIE_LENGTH),
    );
  } catch {
    return undefined;
  }
}
