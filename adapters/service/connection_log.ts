/**
 * One log line per connection.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";
import type { Handler } from "../../core/api/types.ts";
import { logConnection } from "../../plugins/middleware/log.ts";

/**
 * Stands in front of a port's plugin: logs the connection when it has ended, with the bytes in and
 * out, its duration and how it ended.
 */
export function logConnections(plugin: string, log: Logger): Handler {
  return (c, next) => logConnection(c, next, log, "info", { plugin });
}
