/**
 * One log line per connection or flow.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";
import type { Plugin } from "../../core/api/types.ts";
import { logConnection, logFlow } from "../../plugins/middleware/log.ts";

/**
 * Stands in front of a place's plugin: logs the connection or flow when it has ended, with the bytes
 * in and out, its duration and how it ended.
 */
export function logConnections(plugin: string, log: Logger): Plugin {
  return {
    // The name of the plugin alone is to be seen in other lines.
    name: "",
    handle: (c, next) => logConnection(c, next, log, "info", { plugin }),
    flow: (c, next) => logFlow(c, next, log, "info", { plugin }),
  };
}
