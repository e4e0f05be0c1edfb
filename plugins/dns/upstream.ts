/**
 * Queries that others answer.
 *
 * @module
 */
import { type Dial, dialWithin } from "../../core/api/dial.ts";
import { type Clock, systemRandom } from "../../core/api/environment.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import { frame, FrameReader } from "./framing.ts";
import {
  answersQuery,
  identificationOf,
  isTruncated,
  type Query,
  withIdentification,
} from "./message.ts";

/** How a `dns` plugin reaches other servers. */
export interface DnsNetwork {
  /** Connects over TCP. */
  readonly dial: Dial<HostPort>;
  /**
   * Sends a datagram from a port of its own; resolves with the first one that comes back from the
   * server and that `accepts` takes. Rejects when nobody is there, or when `signal` is aborted.
   */
  exchange(
    server: HostPort,
    query: Uint8Array,
    accepts: (reply: Uint8Array) => boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array>;
}

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
  network: DnsNetwork,
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
  network: DnsNetwork,
  server: HostPort,
  query: Query,
  limits: AttemptLimits,
): Promise<Uint8Array> {
  const id = randomIdentification();
  const accepts = (reply: Uint8Array) =>
    answersQuery(query, reply) && identificationOf(reply) === id;
  return await within(
    limits,
    (signal) => network.exchange(server, withIdentification(query.bytes, id), accepts, signal),
  );
}

async function askOverTcp(
  network: DnsNetwork,
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
