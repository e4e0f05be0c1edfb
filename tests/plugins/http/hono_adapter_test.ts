import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Hono, type MiddlewareHandler } from "hono";
import { mkdirSync } from "node:fs";
import { rememberResponseText } from "../../../adapters/runtime/fetch/mod.ts";
import { runtimeName } from "../../../adapters/runtime/runtime.ts";
import { settle } from "../../support/fake_socket.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";
import { until } from "../../support/until.ts";
import { contentOf, serve, statuses } from "./support.ts";
import { HANDSHAKE } from "./websocket/support.ts";

/** Hono's own adapter of this runtime: `hono/deno` or `hono/bun`. */
interface Adapter {
  serveStatic(options: Record<string, unknown>): MiddlewareHandler;
  upgradeWebSocket(createEvents: () => object): MiddlewareHandler;
}

const runtime = runtimeName() === "deno" ? "deno" : "bun";
const adapter = `../../../node_modules/hono/dist/adapter/${runtime}/index.js`;
const { serveStatic, upgradeWebSocket }: Adapter = await import(
  new URL(adapter, import.meta.url).href
);

/** The runtime's own Response, which the tests replace as the service does when it starts. */
const platform = globalThis.Response;

describe(`serveStatic of hono/${runtime}`, () => {
  beforeAll(rememberResponseText);
  afterAll(() => void (globalThis.Response = platform));

  /** The response to a request for a file in a folder with a few files. HTTP/1.0 is used because it has no chunks. */
  async function ask(path: string, fields = "", method = "GET"): Promise<string> {
    using folder = new TemporaryFolder();
    mkdirSync(folder.file("docs"));
    folder.write("hello.txt", "ahoy");
    folder.write("docs/index.html", "<h1>docs</h1>");
    folder.write("large.bin", "0123456789".repeat(30_000));
    folder.write("app.js", "plain");
    folder.write("app.js.br", "packed");
    const app = new Hono()
      .use("/*", serveStatic({ root: folder.path, precompressed: true }))
      .notFound((c) => c.text("no file", 404));
    const { send, received, server } = serve(app);
    await send(`${method} ${path} HTTP/1.0\r\nHost: h\r\n${fields}\r\n`);
    // The server ends its side after the response.
    await until(() => server.ended);
    await settle();
    return received();
  }

  // The type follows from the name.
  test("answers with a file and its type", async () => {
    const text = await ask("/hello.txt");
    expect(statuses(text)).toEqual([200]);
    expect(text).toContain("content-type: text/plain; charset=utf-8\r\n");
    if (runtime === "bun") expect(text).toContain("content-length: 4\r\n");
    expect(contentOf(text)).toBe("ahoy");
  });

  // A folder is answered with its index, a missing file by the next handler.
  test("answers with an index, or leaves the request to the app", async () => {
    expect(contentOf(await ask("/docs/"))).toBe("<h1>docs</h1>");
    const missing = await ask("/missing.txt");
    expect([statuses(missing), contentOf(missing)]).toEqual([[404], "no file"]);
  });

  // Clients that do not accept a precompressed file get the file itself.
  test("answers with a precompressed file", async () => {
    const packed = await ask("/app.js", "Accept-Encoding: br\r\n");
    expect(packed).toContain("content-encoding: br\r\n");
    expect(contentOf(packed)).toBe("packed");
    expect(contentOf(await ask("/app.js"))).toBe("plain");
  });

  // hono/bun answers with a Bun.file, whose length is known; hono/deno with a stream.
  test("streams a large file", async () => {
    const text = await ask("/large.bin");
    expect(text.includes("content-length: 300000\r\n")).toBe(runtime === "bun");
    expect(contentOf(text)).toBe("0123456789".repeat(30_000));
    expect(contentOf(await ask("/large.bin", "", "HEAD"))).toBe("");
  });

  // On Bun like Bun.serve; on Deno the whole file, like Deno.serve.
  test("answers a Range on Bun", async () => {
    const text = await ask("/large.bin", "Range: bytes=299990-\r\n");
    if (runtime === "deno") return expect(statuses(text)).toEqual([200]);
    expect(statuses(text)).toEqual([206]);
    expect(text).toContain("content-range: bytes 299990-299999/300000\r\n");
    expect(text).toContain("content-length: 10\r\n");
    expect(contentOf(text)).toBe("0123456789");
  });
});

describe(`upgradeWebSocket of hono/${runtime}`, () => {
  // The helper of Hono works only with the runtime's own server; a request without an upgrade passes through it.
  test("answers 500 and logs what is wrong", async () => {
    const app = new Hono()
      .onError((error) => {
        throw error;
      })
      .get("/ws", upgradeWebSocket(() => ({})), (c) => c.text("no WebSocket"));
    const { send, pending, received, lines } = serve(app);
    await send(HANDSHAKE);
    await until(() => pending() !== "");
    expect(statuses(received())).toEqual([500]);
    const errors = lines.filter(({ level }) => level === "error").map(({ fields }) => fields);
    expect(String(errors[0]?.["error"])).toContain(
      "import upgradeWebSocket from @berth/berth/plugins",
    );
    await send("GET /ws HTTP/1.1\r\nHost: h\r\n\r\n");
    await until(() => pending() !== "");
    expect(contentOf(received())).toBe("no WebSocket");
  });
});
