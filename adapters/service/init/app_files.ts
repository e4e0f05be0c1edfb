/** A Hono app, its test through a stack, and the configuration that serves it. */
export const APP_FILES: Readonly<Record<string, string>> = {
  "app.ts": `/** Greets the client. */
import { Hono } from "hono";

const app = new Hono();

app.get("/", (c) => c.text("ahoy\\n"));
app.get("/hello/:name", (c) => c.json({ hello: c.req.param("name") }));

export default app;
`,
  "app_test.ts": `import assert from "node:assert/strict";
import { test } from "node:test";
import { createFetch } from "@berth/berth";
import { http } from "@berth/berth/plugins";
import { testNetwork } from "@berth/berth/testing";
import app from "./app.ts";

test("greets by name", async () => {
  const response = await app.request("/hello/berth");
  assert.deepEqual(await response.json(), { hello: "berth" });
});

// The same over TCP, on a path that loses packets.
test("answers through a stack", async () => {
  await using network = testNetwork({ loss: 0.1, delayMs: 50 });
  network.server.use(80, http(app));
  const fetch = createFetch(network.client);
  const response = await network.run(fetch("http://10.0.0.1/"));
  assert.equal(response.status, 200);
  assert.equal(await network.run(response.text()), "ahoy\\n");
});
`,
  "berth.json": `{
  // http://127.0.0.1:8080/
  "listen": { "80": "http:./app.ts" },
  "publish": ["8080=10.7.0.2:80"]
}
`,
};
