/**
 * The `readyz` plugin: the state of the service, through the stack.
 *
 * @module
 */
import { Hono } from "hono";
import { definePlugin, type PluginFactory } from "../../../core/api/plugin.ts";
import type { Context } from "../../../core/api/types.ts";
import { z } from "zod";
import { http } from "../../../plugins/http.ts";
import { readinessOf } from "./readiness.ts";

/** Options of {@link readyz}: none. */
export type ReadyzOptions = Record<string, never>;

/**
 * Answers HTTP requests for any path with 200 while the service is ready and 503 while it is a lame duck. The request
 * takes the same path as all other connections, so a health check also notices when that path is interrupted. After
 * `lameDuckMs` the port refuses connections, like all other ports.
 */
export const readyz: PluginFactory<ReadyzOptions> = definePlugin({
  name: "readyz",
  options: z.strictObject({}),
  setup: () => (c) => http(appFor(c)).handle!(c, () => Promise.resolve()),
});

function appFor({ stack }: Pick<Context, "stack">): Hono {
  return new Hono().all("*", (c) => {
    const state = readinessOf(stack);
    return state === "serving"
      ? c.json({ ready: true })
      : c.json({ ready: false, reason: state }, 503);
  });
}
