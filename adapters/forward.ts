/**
 * The `forward` plugin, connected to the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../core/api/plugin.ts";
import { type ForwardOptions, forwardThrough } from "../plugins/forward.ts";
import { dialHost } from "./host/dial.ts";

/**
 * Forwards a port to a TCP address of the host. The target is connected to before the SYN is
 * answered: one that refuses is a refused connection. A half-close is carried in both directions,
 * a reset too.
 *
 * @example
 * ```ts
 * import { forward } from "@berth/berth";
 *
 * forward({ to: "127.0.0.1:3000" }).name; // "forward": for stack.use(8080, forward({ ... }))
 * ```
 */
export const forward: PluginFactory<ForwardOptions> = forwardThrough(dialHost);
