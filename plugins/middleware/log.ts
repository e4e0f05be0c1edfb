/**
 * One log line per connection.
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import { logConnection, logFlow } from "../shared/connection_log.ts";

/** Options of {@link log}. */
export interface LogOptions {
  /** The line's level; default `"info"`. */
  level?: "debug" | "info" | "warn" | undefined;
}

/**
 * Logs each connection and flow at its end: bytes in and out, duration, and how it ended.
 *
 * The line goes to the stack's logger and carries what that adds, the names of the plugins for one:
 * `port`, `remote`, `in` and `out` in bytes, `ms`, and `end`, which is `closed` or an error's code;
 * `client` where a PROXY header has named one. A flow's has the number of datagrams as well,
 * `datagramsIn` and `datagramsOut`.
 *
 * @example
 * ```ts
 * import { createStack, echo, linkPair, log } from "@berth/berth";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, log({ level: "info" }), echo());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7", { allowHalfOpen: true });
 * await socket.write(new TextEncoder().encode("ahoy"));
 * await socket.closeWrite();
 * const answer = await new Response(socket.readable).text();
 * if (answer !== "ahoy") throw new Error(answer);
 * await client.close();
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
