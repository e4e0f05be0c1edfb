/**
 * The server's side: a page, its script, and a separate network for each browser that attaches.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { createStack } from "@berth/berth";
import { webSocketLinkEvents } from "@berth/berth/links";
import { echo, http, upgradeWebSocket } from "@berth/berth/plugins";
import { type Context, Hono } from "hono";

const SCRIPT = process.env["PAGE_SCRIPT"] ?? new URL("page.js", import.meta.url);

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>berth in a browser</title>
<h1>berth in a browser</h1>
<ul></ul>
<script type="module" src="page.js"></script>
`;

/** The app at 10.9.0.1, which only the attached browsers can reach. */
const inside = new Hono().get("/", (c) => c.text("hello from behind the WebSocket"));

const attach = upgradeWebSocket(() =>
  webSocketLinkEvents((link) => {
    createStack({ link, addresses: ["10.9.0.1/24", "fd09::1/64"] })
      .use(80, http(inside))
      .use(7, echo());
  })
);

export default new Hono()
  .get("/", (c) => c.html(PAGE))
  .get("/page.js", async (c) => {
    c.header("Content-Type", "text/javascript");
    return c.body(await readFile(SCRIPT, "utf8"));
  })
  .get("/attach", (c, next) => isFromHere(c) ? attach(c, next) : Promise.resolve(c.text("", 403)));

/** Whether the request comes from this page; pages of other sites can open WebSockets too. */
function isFromHere(c: Context): boolean {
  const origin = c.req.header("Origin");
  return origin === undefined || URL.parse(origin)?.host === c.req.header("Host");
}
