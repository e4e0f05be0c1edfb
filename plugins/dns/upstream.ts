/**
 * Forwards queries to upstreams.
 *
 * @module
 */
import { systemRandom } from "../../core/api/environment.ts";
import type { HostPort } from "../../core/api/host_port.ts";
import { dialWithTimeout } from "../shared/dial.ts";
import type { HostDialer } from "../shared/host_network.ts";
import { type Deadline, withDeadline } from "../shared/with_timeout.ts";
import { frame, FrameReader } from "./framing.ts";
import { answersQuery, identificationOf, isTruncated, withIdentification } from "./message.ts";
import type { Query } from "./query.ts";

/**
 * Queries the servers in turn until one answers: over UDP, and again over TCP if the answer is
 * truncated and the client accepts a longer one (RFC 7766 5).
 *
 * @throws The failure of the last server.
 */
export async function queryUpstreams(
  host: HostDialer,
  servers: readonly HostPort[],
  query: Query,
  acceptsLong: boolean,
  limits: Deadline,
): Promise<Uint8Array<ArrayBuffer>> {
  let failure: unknown = new Error("there is no upstream");
  for (const server of servers) {
    if (limits.signal.aborted) throw limits.signal.reason;
    try {
      const short = await queryOverUdp(host, server, query, limits);
      const reply = acceptsLong && isTruncated(short)
        ? await queryOverTcp(host, server, query, limits)
        : short;
      return withIdentification(reply, identificationOf(query.bytes));
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function queryOverUdp(
  host: HostDialer,
  server: HostPort,
  query: Query,
  limits: Deadline,
): Promise<Uint8Array> {
  const id = randomIdentification();
  return await withDeadline(limits, () => noAnswer(limits), async (signal) => {
    const socket = await host.dialDatagrams(server, signal);
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

async function queryOverTcp(
  host: HostDialer,
  server: HostPort,
  query: Query,
  limits: Deadline,
): Promise<Uint8Array> {
  const connection = await dialWithTimeout(host.dial, server, limits);
  const id = randomIdentification();
  try {
    return await withDeadline(limits, () => noAnswer(limits), async (signal) => {
      signal.addEventListener("abort", () => connection.abort(signal.reason), { once: true });
      await connection.write(frame(withIdentification(query.bytes, id)));
      const reply = await new FrameReader(connection).next();
      if (reply !== undefined && identificationOf(reply) === id && answersQuery(query, reply)) {
        return reply;
      }
      throw new Error("the answer of the server does not match the query");
    });
  } finally {
    void connection.close();
  }
}

function noAnswer({ timeoutMs }: Deadline): Error {
  return new Error(`no answer within ${timeoutMs} ms`);
}

/** RFC 5452 9.2: unpredictable. */
function randomIdentification(): number {
  const bytes = new Uint8Array(2);
  systemRandom.fill(bytes);
  return identificationOf(bytes);
}
