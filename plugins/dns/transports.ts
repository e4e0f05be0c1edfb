/**
 * Serves UDP flows and TCP connections.
 *
 * @module
 */
import { messageOf } from "../../core/api/error_text.ts";
import { SerialQueue } from "../../core/api/runtime/serial_queue.ts";
import type { Context } from "../../core/api/types.ts";
import type { FlowContext } from "../../core/api/udp/datagram.ts";
import { IdleTimeout } from "../shared/idle_timeout.ts";
import { frame, FrameReader } from "./framing.ts";
import type { DnsServer } from "./server.ts";

/** Idle time after which a flow ends: clients use a new port for each query. */
const FLOW_IDLE_MS = 5000;
/** Idle time after which a connection is closed; RFC 7766 6.2.3 suggests a few seconds. */
const CONNECTION_IDLE_MS = 10_000;
/** Extra time for answers that arrive just before the timeout. */
const MARGIN_MS = 1000;
/** Maximum number of concurrent queries per connection; no more are read until one is answered. */
const MAX_PIPELINED = 64;

/** Answers the queries of a flow, each as soon as its answer is known. */
export async function serveFlow(
  server: DnsServer,
  { flow, clock, log, signal }: FlowContext,
): Promise<void> {
  flow.setIdleTimeout(Math.max(FLOW_IDLE_MS, server.upstreamTimeoutMs("udp") + MARGIN_MS));
  const pending = new Set<Promise<void>>();
  const { localAddr: local, remoteAddr: remote } = flow;
  const client = { transport: "udp" as const, local, remote, clock, log, signal };
  const send = async (reply: Uint8Array) => {
    try {
      await flow.send(reply);
    } catch (error) {
      log.debug("answer not sent", { reason: messageOf(error) });
    }
  };
  for await (const message of flow) {
    const reply = server.answer(message, client);
    if (reply === undefined) continue;
    // Sent at once, and without waiting: then the answers of one turn share a packet.
    if (reply instanceof Uint8Array) {
      void send(reply);
      continue;
    }
    const answered = reply.then(send).finally(() => pending.delete(answered));
    pending.add(answered);
  }
  await Promise.all(pending);
}

/**
 * Answers the queries of a connection, each as soon as its answer is known, in any order
 * (RFC 7766 6.2.1.1). Ends when the client closes, or is idle for too long.
 */
export async function serveConnection(
  server: DnsServer,
  { socket, clock, log, signal }: Context,
): Promise<void> {
  const reader = new FrameReader(socket);
  const writes = new SerialQueue();
  const pending = new Set<Promise<void>>();
  const idleMs = Math.max(CONNECTION_IDLE_MS, server.upstreamTimeoutMs("tcp") + MARGIN_MS);
  const idle = new IdleTimeout(clock, idleMs, () => void socket.close());
  const { localAddr: local, remoteAddr: remote } = socket;
  const client = { transport: "tcp" as const, local, remote, clock, log, signal };
  try {
    for (let next = await reader.next(); next !== undefined; next = await reader.next()) {
      idle.touch();
      const answered = Promise.resolve(server.answer(next, client))
        .then((reply) => reply && writes.run(() => socket.write(frame(reply))))
        .then(() => idle.touch(), () => {})
        .finally(() => pending.delete(answered));
      pending.add(answered);
      while (pending.size >= MAX_PIPELINED) await Promise.race(pending);
    }
    await Promise.all(pending);
  } finally {
    idle.stop();
  }
}
