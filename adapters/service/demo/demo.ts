/**
 * The plugin that the service runs without settings.
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../../../core/api/plugin.ts";
import { http } from "../../../plugins/http.ts";
import { createDemoApp } from "./app.ts";
import { type Place, placesOf } from "./places.ts";

/** Options of {@link demo}: there are none. */
export type DemoOptions = Record<string, never>;

/**
 * Serves a page that demonstrates the stack: a network with a path that the reader can impair, and what the service
 * serves.
 */
export const demo: PluginFactory<DemoOptions> = definePlugin({
  name: "demo",
  options: z.strictObject({}),
  setup() {
    let places: () => readonly Place[] = () => [];
    const { app, close } = createDemoApp(() => places());
    const server = http(app);
    return {
      ...server,
      handle(c, next) {
        places = () => placesOf(c.stack);
        return server.handle!(c, next);
      },
      async dispose() {
        await server.dispose?.();
        close();
      },
    };
  },
});
