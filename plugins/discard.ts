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
 * Reads everything and answers nothing, over TCP and UDP (RFC 863).
 *
 * @example
 * ```ts
 * import { discard } from "@berth/berth";
 *
 * discard().name; // "discard": for stack.use([9, "udp/9"], discard())
 * ```
 */
export const discard: PluginFactory<DiscardOptions> = definePlugin({
  name: "discard",
  options: z.strictObject({}),
  setup: () => ({
    async handle({ socket }) {
      const views = socket.views();
      while (!(await views.next()).done);
    },
    async flow({ flow }) {
      while (await flow.receive() !== null);
    },
  }),
});
