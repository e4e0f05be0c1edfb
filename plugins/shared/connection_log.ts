/**
 * Log lines of connections and flows.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";
import { textOf } from "../../core/api/error_text.ts";
import { PeerFaultError, TcpError } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import type { Context, Next } from "../../core/api/types.ts";
import type { FlowContext } from "../../core/api/udp/datagram.ts";

/** Level of the line. */
export type LogLevel = "debug" | "info" | "warn";

/**
 * Runs the rest of the chain; when the connection has ended, logs a line with `fields` and counters. A
 * connection that begins while lines of this level are not written is not logged.
 */
export function logConnection(
  c: Context,
  next: Next,
  logger: Logger,
  level: LogLevel,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  if (logger.isEnabled?.(level) === false) return next();
  const { socket, clock } = c;
  const openedAt = clock.now();
  const { localAddr: { port }, remoteAddr } = socket;
  const who = { port, ...fields, remote: formatHostPort(remoteAddr) };
  logger.debug("connection opened", who);
  const write = (end: string) => {
    const { bytesIn, bytesOut } = socket.stats();
    const ms = Math.round(clock.now() - openedAt);
    const client = c.get<string>("client");
    const behind = client === undefined ? undefined : { client };
    logger[level]("connection", { ...who, ...behind, in: bytesIn, out: bytesOut, ms, end });
  };
  socket.closed.then(() => write("closed"), (error: unknown) => write(codeOf(error)));
  return next();
}

/** {@link logConnection} for a flow. */
export async function logFlow(
  { flow, clock }: FlowContext,
  next: () => Promise<void>,
  logger: Logger,
  level: LogLevel,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  if (logger.isEnabled?.(level) === false) return await next();
  const openedAt = clock.now();
  const { localAddr: { port }, remoteAddr } = flow;
  const who = { port, ...fields, remote: formatHostPort(remoteAddr) };
  const write = (end: string) => {
    const { datagramsIn, bytesIn, datagramsOut, bytesOut } = flow.stats();
    const counts = { in: bytesIn, out: bytesOut, datagramsIn, datagramsOut };
    const ms = Math.round(clock.now() - openedAt);
    logger[level]("flow", { ...who, ...counts, ms, end });
  };
  try {
    await next();
    write("closed");
  } catch (error) {
    write(codeOf(error));
    throw error;
  }
}

function codeOf(error: unknown): string {
  const { cause } = Object(error) as { cause?: unknown };
  // The connection was aborted because of what the peer did.
  if (cause instanceof PeerFaultError) return cause.message.replace("SocketError", cause.code);
  return error instanceof TcpError ? error.code : textOf(error);
}
