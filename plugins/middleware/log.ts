/**
 * One log line per connection or flow.
 *
 * @module
 */
import { z } from "zod";
import type { FlowContext } from "../../core/api/datagram.ts";
import type { Logger } from "../../core/api/environment.ts";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import type { Context, Next } from "../../core/api/types.ts";

/** What {@link log} can be told. */
export interface LogOptions {
  /** The line's level; default `"info"`. */
  level?: "debug" | "info" | "warn" | undefined;
}

/**
 * Logs each connection and flow at its end: bytes in and out, duration, and how it ended.
 *
 * The line goes to the stack's logger and carries what that adds, the names of the plugins for one:
 * `port`, `remote`, `in` and `out` in bytes, `ms`, and `end`, which is `closed` or an error's code. A
 * flow's has the number of datagrams too, `datagramsIn` and `datagramsOut`, and no `end`.
 *
 * @example
 * ```ts
 * import { log } from "@berth/berth";
 *
 * // For stack.use(7, log({ ... }), echo()).
 * log({ level: "debug" }).name; // "log"
 * ```
 */
export const log: PluginFactory<LogOptions> = definePlugin({
  name: "log",
  options: z.strictObject({ level: z.enum(["debug", "info", "warn"]).default("info") }),
  setup: ({ level }) => ({
    handle: (c, next) => logConnection(c, next, c.log, level),
    flow: (c, next) => logFlow(c, next, c.log, level),
  }),
});

/** Runs the rest of the chain; writes the line, with more fields, when the connection has ended. */
export function logConnection(
  { socket, clock }: Pick<Context, "socket" | "clock">,
  next: Next,
  logger: Logger,
  level: "debug" | "info" | "warn",
  fields: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const openedAt = clock.now();
  const { localAddr: { port }, remoteAddr } = socket;
  const who = { port, ...fields, remote: formatHostPort(remoteAddr) };
  logger.debug("connection opened", who);
  const write = (end: string) => {
    const { bytesIn, bytesOut } = socket.stats();
    const ms = Math.round(clock.now() - openedAt);
    logger[level]("connection", { ...who, in: bytesIn, out: bytesOut, ms, end });
  };
  socket.closed.then(() => write("closed"), (error: unknown) => write(codeOf(error)));
  return next();
}

/** The same for a flow, whose line is written when its handlers have finished. */
export async function logFlow(
  { flow, clock }: Pick<FlowContext, "flow" | "clock">,
  next: () => Promise<void>,
  logger: Logger,
  level: "debug" | "info" | "warn",
  fields: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const openedAt = clock.now();
  const { localAddr: { port }, remoteAddr } = flow;
  try {
    await next();
  } finally {
    const { bytesIn, bytesOut, datagramsIn, datagramsOut } = flow.stats();
    const who = { port, ...fields, remote: formatHostPort(remoteAddr) };
    const ms = Math.round(clock.now() - openedAt);
    logger[level]("flow", { ...who, in: bytesIn, out: bytesOut, datagramsIn, datagramsOut, ms });
  }
}

function codeOf(error: unknown): string {
  return error instanceof TcpError ? error.code : String(error);
}
