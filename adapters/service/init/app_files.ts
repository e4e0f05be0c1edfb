/** A Hono app, its test through a stack, and the configuration that serves it. */
export const APP_FILES: Readonly<Record<string, string>> = {
  "app.ts": `/** Greets whoever asks. */
import { Hono } from "hono";

const app = new Hono();

app.get("/", (c) => c.text("ahoy\\n"));
app.get("/hello/:name", (c) => c.json({ hello: c.req.param("name") }));

export default app;
`,
  "app_test.ts": `import assert from "node:assert/strict";
import { test } from "node:test";
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
  const client = await network.connect(80);
  await client.send("GET / HTTP/1.1\\r\\nHost: berth\\r\\nConnection: close\\r\\n\\r\\n");
  const answer = await client.receiveAll();
  assert.match(answer, /^HTTP\\/1\\.1 200 OK\\r\\n/);
  assert.ok(answer.endsWith("ahoy\\n"));
});
`,
  "berth.json": `{
  // http://127.0.0.1:8080/
  "listen": { "80": "http:./app.ts" },
  "publish": ["8080=10.7.0.2:80"]
}
`,
};
