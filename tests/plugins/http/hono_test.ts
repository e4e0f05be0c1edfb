import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import type { GetConnInfo } from "hono/conninfo";
import { bodyLimit } from "hono/body-limit";
import { streamSSE, streamText } from "hono/streaming";
import { type HttpEnv, RequestBodyError } from "../../../plugins/http.ts";
import { HttpRefusal } from "../../../plugins/shared/http/refusal.ts";
import { contentOf, exchange, serve, statuses } from "./support.ts";

/**
 * `hono/deno` can be loaded only on Deno, `hono/bun` only on Bun, but this module of either on
 * both.
 */
async function connInfoOf(runtime: "deno" | "bun"): Promise<GetConnInfo> {
  const path = `../../../node_modules/hono/dist/adapter/${runtime}/conninfo.js`;
  return (await import(new URL(path, import.meta.url).href)).getConnInfo;
}

const [denoConnInfo, bunConnInfo] = await Promise.all([connInfoOf("deno"), connInfoOf("bun")]);

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;
const post = (path: string, body: string, type = "text/plain") =>
  `POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe("a Hono app", () => {
  const app = new Hono<{ Bindings: HttpEnv }>();
  app.get("/text", (c) => c.text("Gr\u00fc\u00dfe"));
  app.get("/users/:id", (c) => c.json({ id: c.req.param("id"), q: c.req.query("q") }));
  app.post("/json", async (c) => c.json(await c.req.json()));
  app.post("/form", async (c) => c.json(await c.req.parseBody()));
  app.get("/deno", (c) => c.json(denoConnInfo(c)));
  app.get("/bun", (c) => c.json(bunConnInfo(c)));
  app.get("/state", (c) => c.text(`${c.env.socket.state} ${c.env.localAddr.port}`));
  app.get("/throws", () => {
    throw new Error("boom");
  });
  app.onError((_, c) => c.text("handled", 500));
  app.use("/limited", bodyLimit({ maxSize: 5, onError: (c) => c.text("too big", 413) }));
  app.post("/limited", async (c) => c.text(await c.req.text()));
  app.get("/stream", (c) =>
    streamText(c, async (stream) => {
      for (const word of ["a", "b", "c"]) await stream.writeln(word);
    }));
  app.get("/events", (c) => streamSSE(c, (stream) => stream.writeSSE({ event: "e", data: "d" })));

  // Routing, parameters and bodies work as with other servers.
  test("is served with paths, parameters and bodies", async () => {
    const ask = async (request: string) => contentOf(await exchange(app, request));
    expect(
      new TextDecoder().decode(Uint8Array.from(await ask(get("/text")), (c) => c.charCodeAt(0))),
    )
      .toBe("Gr\u00fc\u00dfe");
    expect(await ask(get("/users/7?q=x%20y"))).toBe('{"id":"7","q":"x y"}');
    expect(await ask(post("/json", "[1,2]"))).toBe("[1,2]");
    expect(await ask(post("/form", "a=1&b=2", "application/x-www-form-urlencoded")))
      .toBe('{"a":"1","b":"2"}');
    expect(await ask(get("/none"))).toBe("404 Not Found");
    expect(await ask(get("/throws"))).toBe("handled");
  });

  // On Bun a text Response has no content type, and a browser might guess HTML.
  test("sends text as text/plain on either runtime", async () => {
    expect((await exchange(app, get("/text"))).toLowerCase())
      .toContain("content-type: text/plain;charset=utf-8\r\n");
  });

  // Both helpers work on both runtimes.
  test("learns the peer's address by getConnInfo of hono/deno and of hono/bun", async () => {
    const client = { transport: "tcp" as const, hostname: "fd00::9", port: 4711 };
    const ask = async (path: string) =>
      JSON.parse(contentOf(await exchange(app, get(path), { pair: { client } })));
    expect(await ask("/deno")).toEqual({
      remote: { address: "fd00::9", port: 4711, transport: "tcp" },
    });
    expect(await ask("/bun")).toEqual({
      remote: { address: "fd00::9", port: 4711, addressType: "IPv6" },
    });
    const v4 = JSON.parse(contentOf(await exchange(app, get("/bun"))));
    expect(v4.remote.addressType).toBe("IPv4");
  });

  // A client's error is not logged with a stack trace: the error determines the response.
  test("answers a failed request body with the status of the error", async () => {
    const failing = new Hono().post("/", () => {
      throw new RequestBodyError(new HttpRefusal(413, "too long"));
    });
    const response = await failing.request("/", { method: "POST" });
    expect(response.status).toBe(413);
    expect(await response.text()).toBe("413 Content Too Large: too long\n");
  });

  // The app answers with the state of its connection, as the demo page does.
  test("can access the connection", async () => {
    const { send, received } = serve(app);
    await send(get("/state"));
    expect(contentOf(received())).toBe("ESTABLISHED 80");
  });

  // HEAD is Hono's GET without the body.
  test("answers HEAD", async () => {
    const { send, received } = serve(app);
    await send(get("/text").replace("GET", "HEAD"));
    const text = received();
    expect(statuses(text)).toEqual([200]);
    expect(contentOf(text)).toBe("");
  });

  // Middleware that replaces the Request, with a streamed body.
  test("can wrap the request, as bodyLimit does", async () => {
    const ask = async (body: string) => await exchange(app, post("/limited", body));
    expect(contentOf(await ask("12345"))).toBe("12345");
    expect(statuses(await ask("123456"))).toEqual([413]);
    const chunked = (body: string) =>
      "POST /limited HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
      `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    expect(contentOf(await exchange(app, chunked("12345")))).toBe("12345");
    expect(statuses(await exchange(app, chunked("123456")))).toEqual([413]);
  });

  // The data of Hono's streaming helpers is sent as chunks.
  test("streams text and events", async () => {
    const plain = (text: string) => text.replace(/\r\n[0-9a-f]+\r\n/g, "");
    expect(plain(await exchange(app, get("/stream")))).toMatch(/a\n.*b\n.*c\n/s);
    const events = await exchange(app, get("/events"));
    expect(events).toContain("content-type: text/event-stream");
    expect(events).toContain("event: e\ndata: d\n");
  });
});
