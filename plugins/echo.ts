/**
 * The echo service (RFC 862).
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";

/** What {@link echo} can be told: nothing. */
export type EchoOptions = Record<string, never>;

/**
 * Sends back what it receives, until the peer has nothing more to send (RFC 862).
 *
 * @example
 * ```ts
 * import { echo } from "@berth/berth";
 *
 * echo().name; // "echo": for stack.use(7, echo())
 * ```
 */
export const echo: PluginFactory<EchoOptions> = definePlugin({
  name: "echo",
  options: z.strictObject({}),
  setup: () => async ({ socket }) => {
    for await (const view of socket.views()) await socket.write(view);
  },
});
