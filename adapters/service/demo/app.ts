/**
 * The app behind the demo's page.
 *
 * @module
 */
import process from "node:process";
import { type Context, Hono } from "hono";
import { DemoNetwork } from "../../demo_network/demo_network.ts";
import type { TcpSocket } from "../../../core/api/types.ts";
import { assetResponse } from "../../pages/assets.ts";
import { runtimeName } from "../../runtime/runtime.ts";
import { NetworkViewers } from "./network_viewers.ts";
import type { Place } from "./places.ts";

/** The bindings that the `http` plugin passes to the app. */
export interface DemoEnv {
  /** The connection of the request. */
  Bindings: { socket: TcpSocket };
}

/** Maximum size of a request to change the path. */
const MAX_CHANGES = 1000;

/** Makes the app; `close` ends its network. */
export function createDemoApp(
  places: () => readonly Place[],
  viewers: NetworkViewers = new NetworkViewers(() => new DemoNetwork()),
): { readonly app: Hono<DemoEnv>; readonly close: () => void } {
  const app = new Hono<DemoEnv>();
  app.get("/", (c) => assetResponse("demo/page.html", c.req.raw));
  app.get("/assets/*", (c) => assetResponse(c.req.path.slice("/assets/".length), c.req.raw));
  app.get("/about", (c) => c.json({ command: commandOf(), places: places() }));
  app.get("/connection", (c) => c.json(describe(c.env.socket)));
  app.post("/echo", (c) => new Response(c.req.raw.body));
  app.get("/network", (c) => {
    const stream = viewers.open();
    return stream === undefined
      ? c.json({ error: "too many pages are open" }, 503)
      : new Response(stream, {
        headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-store" },
      });
  });
  app.post("/network", async (c) => {
    if (!isFromHere(c)) return c.json({ error: "only the demo's page may change the path" }, 403);
    const text = await c.req.text();
    const changes = text.length > MAX_CHANGES ? undefined : parsed(text);
    if (changes === undefined) return c.json({ error: 'expected {"delayMs": 50}' }, 400);
    viewers.network?.set(changes);
    return c.json({});
  });
  return { app, close: () => viewers.close() };
}

/** Whether a request comes from the demo's page, because pages of other sites can send it too. */
function isFromHere(c: Context): boolean {
  const origin = c.req.header("Origin");
  return origin === undefined || URL.parse(origin)?.host === c.req.header("Host");
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The command that starts the program in the folder of its files. */
function commandOf(): string {
  const script = (process.argv[1] ?? "").replace(/^.*[/\\]/, "") || "main.ts";
  return `${runtimeName() === "bun" ? "bun run" : "deno run -A"} ${script}`;
}

/** The rows of the page's table of the connection, in order. */
function describe(socket: TcpSocket): Record<string, string | number> {
  const { localAddr, remoteAddr } = socket;
  const { state, srttMs, bytesIn, bytesOut, segmentsIn, segmentsOut } = socket.stats();
  return {
    local: `${localAddr.hostname} port ${localAddr.port}`,
    remote: `${remoteAddr.hostname} port ${remoteAddr.port}`,
    state,
    "round-trip time": `${srttMs.toFixed(2)} ms`,
    "bytes in": bytesIn,
    "bytes out": bytesOut,
    "segments in": segmentsIn,
    "segments out": segmentsOut,
  };
}
