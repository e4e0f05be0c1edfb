/**
 * One log line per connection.
 *
 * @module
 */
import type { Clock, Logger } from "../../core/api/environment.ts";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import type { Handler, TcpSocket } from "../../core/api/types.ts";
import { messageOf } from "./errors.ts";

/**
 * Stands in front of a port's plugin: logs the connection when it has ended, with the bytes in and
 * out, its duration and how it ended.
 */
export function logConnections(plugin: string, log: Logger): Handler {
  return ({ socket, clock }, next) => {
    const line = begin(plugin, socket, clock, log);
    socket.closed.then(() => line("closed"), (error: unknown) => line(codeOf(error)));
    return next();
  };
}

function begin(
  plugin: string,
  socket: TcpSocket,
  clock: Clock,
  log: Logger,
): (end: string) => void {
  const openedAt = clock.now();
  const who = {
    port: socket.localAddr.port,
    plugin,
    remote: formatHostPort(socket.remoteAddr),
  };
  log.debug("connection opened", who);
  return (end) => {
    const { bytesIn, bytesOut } = socket.stats();
    const ms = Math.round(clock.now() - openedAt);
    log.info("connection", { ...who, in: bytesIn, out: bytesOut, ms, end });
  };
}

function codeOf(error: unknown): string {
  return error instanceof TcpError ? error.code : messageOf(error);
}
