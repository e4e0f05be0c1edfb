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
  /** Level of the line. Default `"info"`. */
  level?: "debug" | "info" | "warn" | undefined;
}

/**
 * Logs each connection and flow when it ends: bytes in and out, duration, and how it ended.
 *
 * The line goes to the stack's logger, with the fields that the stack adds, such as the names of
 * the plugins. Its own fields are `port`, `remote`, `in` and `out` in bytes, `ms`, and `end`, which
 * is `closed` or the code of an error; `client` if a PROXY header gave its address; for a flow,
 * also the numbers of datagrams, `datagramsIn` and `datagramsOut`.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { log } from "@berth/berth/middleware";
 * import { echo } from "@berth/berth/plugins";
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
    freeze: () => null,
    thaw: (c, _state, next) => logConnection(c, next, c.log, level),
    flow: (c, next) => logFlow(c, next, c.log, level),
  }),
});
