/**
 * A Hono app with a page, server-sent events and a WebSocket, all on one port of the stack.
 *
 *     deno task start --listen 80=http:./examples/hono_app.ts
 *
 * @module
 */
import { type HttpEnv, upgradeWebSocket } from "@berth/berth/plugins";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>Hono on berth</title>
<h1>Hono on berth</h1>
<p><input placeholder="Shout something, and press Enter"></p>
<ul></ul>
<script type="module">
  new EventSource("/shouts").onmessage = ({ data }) => {
    const item = document.createElement("li");
    item.textContent = data;
    document.querySelector("ul").append(item);
  };
  const socket = new WebSocket(location.href.replace(/^http/, "ws") + "shout");
  document.querySelector("input").onchange = ({ target }) => {
    socket.send(target.value);
    target.value = "";
  };
</script>
`;

/** All clients subscribed to the shouts. */
const shouts = new EventTarget();

const app: Hono<{ Bindings: HttpEnv }> = new Hono<{ Bindings: HttpEnv }>()
  .get("/", (c) => c.html(PAGE))
  .get("/shouts", (c) =>
    streamSSE(c, async (stream) => {
      const listener = (event: Event) =>
        void stream.writeSSE({ data: (event as CustomEvent<string>).detail });
      shouts.addEventListener("shout", listener);
      // The client closes the connection when the page is closed.
      await new Promise<void>((resolve) => stream.onAbort(resolve));
      shouts.removeEventListener("shout", listener);
    }))
  .get(
    "/shout",
    upgradeWebSocket(() => ({
      onMessage({ data }, socket) {
        const detail = String(data).toUpperCase();
        shouts.dispatchEvent(new CustomEvent("shout", { detail }));
        socket.send(detail);
      },
    })),
  );

export default app;
