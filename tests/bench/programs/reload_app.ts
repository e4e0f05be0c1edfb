import { Hono } from "hono";
import { upgradeWebSocket } from "../../../exports/plugins.ts";

/** Greets, and returns bodies of requests and messages on a WebSocket. */
const app: Hono = new Hono();
app.get("/", (c) => c.text("hello"));
app.post("/echo", async (c) => c.body(await c.req.arrayBuffer()));
app.get(
  "/ws",
  upgradeWebSocket(() => ({ onMessage: ({ data }, ws) => ws.send(`echo of ${data}`) })),
);

export default app;
