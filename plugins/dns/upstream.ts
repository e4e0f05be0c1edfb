/**
 * Queries that others answer.
 *
 * @module
 */
import { type Clock, systemRandom } from "../../core/api/environment.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import { dialWithin, type OutsideNetwork } from "../shared/dial.ts";
import { frame, FrameReader } from "./framing.ts";
import { answersQuery, identificationOf, isTruncated, withIdentification } from "./message.ts";
import type { Query } from "./query.ts";

/** What an attempt is bounded by. */
export interface AttemptLimits {
  readonly clock: Clock;
  /** For each server, in milliseconds. */
  readonly timeoutMs: number;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/**
 * Asks one server after the other until one answers; over UDP, and over TCP when the answer does
 * not fit and the client could take it (RFC 7766 5).
 *
 * @throws What the last server's failure was.
 */
export async function askUpstreams(
  network: OutsideNetwork,
  servers: readonly HostPort[],
  query: Query,
  takesLong: boolean,
  limits: AttemptLimits,
): Promise<Uint8Array<ArrayBuffer>> {
  let failure: unknown = new Error("there is no upstream");
  for (const server of servers) {
    if (limits.signal.aborted) throw limits.signal.reason;
    try {
      const short = await askOverUdp(network, server, query, limits);
      const reply = takesLong && isTruncated(short)
        ? await askOverTcp(network, server, query, limits)
        : short;
      return withIdentification(reply, identificationOf(query.bytes));
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function askOverUdp(
  network: OutsideNetwork,
  server: HostPort,
  query: Query,
  limits: AttemptLimits,
): Promise<Uint8Array> {
  const id = randomIdentification();
  return await within(limits, async (signal) => {
    const socket = await network.dialDatagrams(server, signal);
    try {
      signal.addEventListener("abort", () => socket.close(), { once: true });
      await socket.send(withIdentification(query.bytes, id));
      for (;;) {
        const reply = await socket.receive();
        signal.throwIfAborted();
        if (reply === null) throw new Error("the socket was closed");
        if (answersQuery(query, reply) && identificationOf(reply) === id) return reply;
      }
    } finally {
      socket.close();
    }
  });
}

async function askOverTcp(
  network: OutsideNetwork,
  server: HostPort,
  query: Query,
  limits: AttemptLimits,
): Promise<Uint8Array> {
  const connection = await dialWithin(network.dial, server, limits);
  const id = randomIdentification();
  try {
    return await within(limits, async (signal) => {
      signal.addEventListener("abort", () => connection.abort(signal.reason), { once: true });
      await connection.write(frame(withIdentification(query.bytes, id)));
      const reply = await new FrameReader(connection).next();
      if (reply !== undefined && identificationOf(reply) === id && answersQuery(query, reply)) {
        return reply;
      }
      throw new Error("the server's answer is to something else");
    });
  } finally {
    void connection.close();
  }
}

/** Runs `act` with a signal that is aborted when the time is over. */
async function within<T>(
  { clock, timeoutMs, signal }: AttemptLimits,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = new AbortController();
  const giveUp = () => timeout.abort(signal.reason);
  signal.addEventListener("abort", giveUp);
  const cancel = clock.schedule(
    clock.now() + timeoutMs,
    () => timeout.abort(new Error(`no answer within ${timeoutMs} ms`)),
  );
  try {
    return await act(timeout.signal);
  } finally {
    cancel();
    signal.removeEventListener("abort", giveUp);
  }
}

/** RFC 5452 9.2: not to be guessed. */
function randomIdentification(): number {
  const bytes = new Uint8Array(2);
  systemRandom.fill(bytes);
  return identificationOf(bytes);
}
