/**
 * The discard service (RFC 863).
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";

/** What {@link discard} can be told: nothing. */
export type DiscardOptions = Record<string, never>;

/**
 * Reads everything and answers nothing, until the peer has nothing more to send (RFC 863).
 *
 * @example
 * ```ts
 * import { discard } from "@berth/berth";
 *
 * discard().name; // "discard": for stack.use(9, discard())
 * ```
 */
export const discard: PluginFactory<DiscardOptions> = definePlugin({
  name: "discard",
  options: z.strictObject({}),
  setup: () => async ({ socket }) => {
    const views = socket.views();
    while (!(await views.next()).done);
  },
});
