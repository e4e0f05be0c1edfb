/**
 * What the service shows when it is told nothing.
 *
 * @module
 */
import { Hono } from "hono";
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../../../core/api/plugin.ts";
import type { TcpSocket } from "../../../core/api/types.ts";
import { http } from "../../../plugins/http.ts";
import { demoPage } from "./demo_page.ts";

/** Options of {@link demo}: nothing. */
export type DemoOptions = Record<string, never>;

/** A page that shows the TCP connection through which it came. */
export const demo: PluginFactory<DemoOptions> = definePlugin({
  name: "demo",
  options: z.strictObject({}),
  setup: () => http(createDemoApp()),
});

/** What the `http` plugin hands to the app. */
export interface DemoEnv {
  /** Hono's name for it. */
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

/** What the page shows of a connection, in its order. */
function describe(socket: TcpSocket): Record<string, string | number> {
  const { localAddr, remoteAddr } = socket;
  return {
    local: `${localAddr.hostname} port ${localAddr.port}`,
    remote: `${remoteAddr.hostname} port ${remoteAddr.port}`,
    ...socket.stats(),
  };
}
