/**
 * A page for a browser that sends requests and opens a WebSocket over HTTP/2.
 *
 * @module
 */
import { Hono } from "hono";
import { upgradeWebSocket } from "../../../exports/plugins.ts";

const PAGE = `<!doctype html><title>HTTP/2</title><script type="module">
const numbers = await Promise.all(
  Array.from({ length: 50 }, (_, i) => fetch("/number/" + i).then((each) => each.text())),
);
const digest = await fetch("/size", { method: "POST", body: new Uint8Array(500_000) });
const socket = new WebSocket("wss://" + location.host + "/echo");
const message = await new Promise((resolve, reject) => {
  socket.onopen = () => socket.send("ahoy");
  socket.onmessage = (event) => resolve(event.data);
  socket.onerror = () => reject(new Error("the WebSocket failed"));
});
const protocols = performance.getEntriesByType("resource").map((each) => each.nextHopProtocol);
window.result = {
  numbers: numbers.join(),
  size: await digest.text(),
  message,
  protocols: [...new Set(protocols)].join(),
};
</script>`;

export default new Hono()
  .get("/", (c) => c.html(PAGE))
  .get("/number/:n", (c) => c.text(c.req.param("n")))
  .post("/size", async (c) => c.text(`${(await c.req.arrayBuffer()).byteLength}`))
  .get("/over", (c) => c.text(`${overHttp2}`))
  .get(
    "/echo",
    upgradeWebSocket((c) => {
      // RFC 8441 has no Sec-WebSocket-Key, so the server supplies this one.
      if (c.req.raw.headers.get("sec-websocket-key") === "AAAAAAAAAAAAAAAAAAAAAA==") overHttp2++;
      return { onMessage: (event, ws) => ws.send(event.data) };
    }),
  );

/** WebSockets that came over HTTP/2. */
let overHttp2 = 0;
