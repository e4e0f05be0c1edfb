/**
 * One log line per connection, one per flow.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import type { Plugin } from "../../../core/api/types.ts";
import { logConnection, logFlow } from "../../../plugins/shared/connection_log.ts";

/**
 * Stands in front of a port's plugin: logs the connection when it has ended, with the bytes in and
 * out, its duration and how it ended; a flow of datagrams likewise.
 */
export function logConnections(plugin: string, log: Logger): Plugin {
  return {
    // The name of the plugin alone is to be seen in other lines.
    name: "",
    handle: (c, next) => logConnection(c, next, log, "info", { plugin }),
    flow: (c, next) => logFlow(c, next, log, "info", { plugin }),
  };
}
