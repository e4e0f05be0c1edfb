/**
 * The HTTP app of the end-to-end tests.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { Hono } from "hono";
import type { HttpEnv } from "../../../exports/plugins.ts";
import { pieces } from "./pattern.ts";

const app = new Hono<{ Bindings: HttpEnv }>();

/** Streams bytes of the pattern, with a Content-Length or chunked. */
app.get("/bytes/:count", (c) => streamed(Number(c.req.param("count")), true));
app.get("/chunked/:count", (c) => streamed(Number(c.req.param("count")), false));

/** The SHA-256 of an upload. */
app.put("/digest", async (c) => {
  const hash = createHash("sha256");
  for await (const chunk of c.req.raw.body ?? []) hash.update(chunk);
  return c.text(hash.digest("hex"));
});

/** The client's address as seen by the server. */
app.get("/peer", (c) => c.text(`${c.env.remoteAddr.hostname} ${c.env.remoteAddr.port}\n`));

app.get("/number/:number", (c) => c.text(`${c.req.param("number")}\n`));

/** Answers once this many requests are waiting, which shows that they are served concurrently. */
app.get("/together/:count/:number", async (c) => {
  const count = Number(c.req.param("count"));
  await new Promise<void>((resolve) => {
    waiting.push(resolve);
    if (waiting.length === count) { for (const answer of waiting.splice(0)) answer(); }
  });
  return c.text(`${c.req.param("number")}\n`);
});

const waiting: (() => void)[] = [];

function streamed(count: number, sized: boolean): Response {
  const source = pieces(count);
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const { value, done } = source.next();
      // A copy, since a consumer may keep or transfer it.
      if (done) controller.close();
      else controller.enqueue(value.slice());
    },
  });
  return new Response(body, sized ? { headers: { "Content-Length": String(count) } } : {});
}

export default app;
