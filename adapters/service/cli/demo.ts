/**
 * The plugin that the service runs without settings.
 *
 * @module
 */
import { Hono } from "hono";
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../../../core/api/plugin.ts";
import type { TcpSocket } from "../../../core/api/types.ts";
import { http } from "../../../plugins/http.ts";
import { demoPage } from "./demo_page.ts";

/** Options of {@link demo}: there are none. */
export type DemoOptions = Record<string, never>;

/** A page that shows the TCP connection over which it was requested. */
export const demo: PluginFactory<DemoOptions> = definePlugin({
  name: "demo",
  options: z.strictObject({}),
  setup: () => http(createDemoApp()),
});

/** The bindings that the `http` plugin passes to the app. */
export interface DemoEnv {
  /** The connection of the request. */
  Bindings: { socket: TcpSocket };
}

/** The app behind {@link demo}. */
export function createDemoApp(): Hono<DemoEnv> {
  const app = new Hono<DemoEnv>();
  app.get("/", (c) => c.html(demoPage(describe(c.env.socket))));
  app.get("/connection", (c) => c.json(describe(c.env.socket)));
  app.post("/echo", (c) => new Response(c.req.raw.body));
  return app;
}

/** The rows of the page, in their order. */
function describe(socket: TcpSocket): Record<string, string | number> {
  const { localAddr, remoteAddr } = socket;
  return {
    local: `${localAddr.hostname} port ${localAddr.port}`,
    remote: `${remoteAddr.hostname} port ${remoteAddr.port}`,
    ...socket.stats(),
  };
}
