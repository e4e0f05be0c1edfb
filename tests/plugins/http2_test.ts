import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { once } from "node:events";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import { http2 } from "../../plugins/http2.ts";
import { tls } from "../../adapters/plugins/tls.ts";
import { http, type HttpEnv } from "../../plugins/http.ts";
import { makeCertificate } from "../support/certificates.ts";
import { testRequiring } from "../support/requirements.ts";
import { until } from "../support/until.ts";
import { serveBehindHost } from "../adapters/plugins/tls/support.ts";

const app = new Hono<{ Bindings: HttpEnv }>()
  .get("/", (c) => c.text(`${c.req.header("host")} ${c.env.remoteAddr.hostname}`))
  .get("/number/:n", (c) => c.text(c.req.param("n")))
  .get("/cookies", () =>
    new Response(null, {
      status: 201,
      headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["connection", "close"]],
    }))
  .get("/bytes/:count", (c) => {
    let left = Number(c.req.param("count"));
    return new Response(
      new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull(controller) {
          if (left === 0) return controller.close();
          const size = Math.min(left, 65_536);
          left -= size;
          controller.enqueue(new Uint8Array(size).fill(7));
        },
      }),
    );
  })
  .post("/size", async (c) => {
    let size = 0;
    for await (const chunk of c.req.raw.body!) size += chunk.length;
    return c.text(`${size}`);
  })
  .post("/echo", (c) => new Response(c.req.raw.body));

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly size: number;
}

/** One request of a session; `body` in pieces. */
function ask(
  session: ClientHttp2Session,
  fields: Record<string, string>,
  ...body: (string | Uint8Array)[]
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(fields, { endStream: body.length === 0 });
    let headers: IncomingHttpHeaders = {};
    let text = "";
    let size = 0;
    stream.on("response", (got) => headers = got);
    stream.on("data", (chunk: Uint8Array) => {
      size += chunk.length;
      if (size < 10_000) text += new TextDecoder().decode(chunk);
    });
    stream.on(
      "end",
      () => resolve({ status: Number(headers[":status"]), headers, body: text, size }),
    );
    stream.on("error", reject);
    for (const piece of body) stream.write(piece);
    if (body.length > 0) stream.end();
  });
}

/** Runs a body with a session (prior knowledge). */
async function withSession(
  body: (session: ClientHttp2Session, lines: string[]) => Promise<void>,
): Promise<void> {
  await using server = await serveBehindHost(http2(app), http(app));
  const socket = await server.connectPlain();
  const session = connect("http://berth.test", { createConnection: () => socket });
  session.on("error", () => {});
  try {
    await body(session, server.lines);
  } finally {
    session.destroy();
  }
}

function textOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => text += chunk);
  return new Promise((resolve) => socket.once("end", () => resolve(text)));
}

/** A frame (RFC 9113 4.1). */
function frame(type: number, flags: number, stream: number, payload: number[]): number[] {
  const { length } = payload;
  return [0, length >> 8, length & 255, type, flags, 0, 0, stream >> 8, stream & 255, ...payload];
}

/** GET http://a/ with a header list without Huffman codes, and at once RST_STREAM. */
function requestAndReset(stream: number): number[] {
  const fields = [0x82, 0x86, 0x84, 0x41, 1, 97];
  return [...frame(1, 5, stream, fields), ...frame(3, 0, stream, [0, 0, 0, 8])];
}

const PING = frame(6, 0, 0, [7, 7, 7, 7, 7, 7, 7, 7]);

/** Resolves when {@link PING} is answered or the connection has ended. */
function pongOf(socket: Socket): Promise<void> {
  return new Promise<void>((resolve) => {
    let seen: number[] = [];
    socket.on("data", (chunk: Uint8Array) => {
      seen = [...seen, ...chunk];
      if (seen.join().includes("0,0,8,6,1,0,0,0,0,7,7,7,7")) resolve();
    });
    for (const end of ["end", "close"]) socket.on(end, () => resolve());
  });
}

describe("http2", () => {
  // Prior knowledge: the app sees method, path, host and peer; cookies stay separate.
  test("serves an app to clients that start with the preface (RFC 9113 3.3)", () =>
    withSession(async (session) => {
      const first = await ask(session, { ":path": "/" });
      expect(first.status).toBe(200);
      expect(first.body).toBe("berth.test:80 10.7.0.1");
      const second = await ask(session, { ":path": "/cookies" });
      expect(second.status).toBe(201);
      expect(second.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
      expect(second.headers["connection"]).toBeUndefined();
      const missing = await ask(session, { ":path": "/nothing", ":method": "HEAD" });
      expect(missing).toMatchObject({ status: 404, size: 0 });
    }));

  // A hundred concurrent requests on one connection, each with its own response.
  test("serves 100 streams at once", () =>
    withSession(async (session) => {
      const numbers = Array.from({ length: 100 }, (_, n) => `${n}`);
      const answers = await Promise.all(
        numbers.map((n) => ask(session, { ":path": `/number/${n}` })),
      );
      expect(answers.map(({ body }) => body)).toEqual(numbers);
    }));

  // 3 MB up, 3 MB down, and both concurrently: more than any flow control window.
  test("streams bodies in both directions", () =>
    withSession(async (session) => {
      const post = { ":method": "POST" };
      const pieces = Array.from({ length: 48 }, () => new Uint8Array(65_536).fill(7));
      const total = 48 * 65_536;
      const [up, down, both] = await Promise.all([
        ask(session, { ...post, ":path": "/size" }, ...pieces),
        ask(session, { ":path": `/bytes/${total}` }),
        ask(session, { ...post, ":path": "/echo" }, ...pieces),
      ]);
      expect([up.body, down.size, both.size]).toEqual([`${total}`, total, total]);
    }));

  // A response that is not read does not use unbounded memory: no more is pulled from the app than
  // fits.
  test("pulls a response only as fast as its client reads", async () => {
    let pulled = 0;
    const endless = {
      fetch: () =>
        new Response(
          new ReadableStream<Uint8Array<ArrayBuffer>>({
            pull(controller) {
              pulled += 65_536;
              controller.enqueue(new Uint8Array(65_536));
            },
          }),
        ),
    };
    await using server = await serveBehindHost(http2(endless));
    const socket = await server.connectPlain();
    const session = connect("http://berth.test", { createConnection: () => socket });
    session.on("error", () => {});
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => {});
    await once(stream, "response");
    for (let seen = -1; seen !== pulled;) {
      seen = pulled;
      for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    expect(pulled).toBeLessThan(2 * 1024 * 1024);
    session.destroy();
  });

  // An app that throws; a method that Fetch does not support.
  test("answers for an app that fails", () =>
    withSession(async (session, lines) => {
      const failing = { fetch: () => Promise.reject(new Error("no")) };
      expect((await ask(session, { ":path": "/", ":method": "TRACE" })).status).toBe(
        501,
      );
      await using server = await serveBehindHost(http2(failing));
      const socket = await server.connectPlain();
      const other = connect("http://berth.test", { createConnection: () => socket });
      other.on("error", () => {});
      expect((await ask(other, { ":path": "/" })).status).toBe(500);
      other.destroy();
      expect(server.lines).toEqual(["error http2: the application failed Error: no"]);
      expect(lines).toEqual([]);
    }));

  // HTTP/1.1 on the same port: the bytes already read are not lost.
  test("leaves what is not HTTP/2 to the next plugin", async () => {
    await using server = await serveBehindHost(http2(app), http(app));
    for (const path of ["/number/1", "/number/2"]) {
      const socket = await server.connectPlain();
      const text = textOf(socket);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      expect(await text).toMatch(new RegExp(`^HTTP/1.1 200 OK[^]*${path.at(-1)}$`));
    }
    // A method with the same start as the preface.
    const socket = await server.connectPlain();
    const text = textOf(socket);
    socket.write("PRI");
    socket.write("OR / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect(await text).toMatch(/^HTTP\/1.1 /);
  });

  // With TLS, the negotiated protocol decides.
  testRequiring(["program:openssl"], "is chosen by ALPN behind tls (RFC 9113 3.2)", async () => {
    const certificates = [makeCertificate(["localhost"])];
    const secure = tls({ certificates, alpn: ["h2", "http/1.1"] });
    await using server = await serveBehindHost(secure, http2(app), http(app));
    const socket = await server.connect({ ALPNProtocols: ["h2"], servername: "localhost" });
    const session = connect("https://localhost", { createConnection: () => socket });
    session.on("error", () => {});
    const answers = await Promise.all(
      ["1", "2", "3"].map((n) => ask(session, { ":path": `/number/${n}` })),
    );
    expect(answers.map(({ body }) => body)).toEqual(["1", "2", "3"]);
    session.destroy();

    const old = await server.connect({ ALPNProtocols: ["http/1.1"] });
    const text = textOf(old);
    old.write("GET /number/4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect(await text).toMatch(/^HTTP\/1.1 200 OK[^]*4$/);
  });

  // A request, then none for a while: GOAWAY, then the connection closes. The frames are written by hand, because the
  // client of Deno 2.9 can abort the process at a GOAWAY (denoland/deno#36788).
  test("closes idle connections", async () => {
    await using server = await serveBehindHost(http2(app, { keepAliveTimeoutMs: 100 }));
    const socket = await server.connectPlain();
    const bytes: number[] = [];
    socket.on("data", (chunk: Uint8Array) => bytes.push(...chunk));
    const over = once(socket, "end");
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(Uint8Array.from([
      ...frame(4, 0, 0, []),
      ...frame(1, 5, 1, [0x82, 0x86, 0x84, 0x41, 1, 97]),
    ]));
    await over;
    socket.end();
    // The last stream is 1, the error code NO_ERROR.
    const goaway = frame(7, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0]);
    expect(bytes.slice(-goaway.length)).toEqual(goaway);
  });

  // The requests of one write are answered although GOAWAY follows at once; then the connection
  // closes.
  test("serves open streams after the client's GOAWAY (RFC 9113 6.8)", async () => {
    const release = Promise.withResolvers<void>();
    let asked = 0;
    const slow = {
      async fetch(request: Request) {
        if (++asked === 2) setTimeout(release.resolve, 0);
        await release.promise;
        return new Response(await request.text());
      },
    };
    await using server = await serveBehindHost(http2(slow));
    const socket = await server.connectPlain();
    const bytes: number[] = [];
    socket.on("data", (chunk: Uint8Array) => bytes.push(...chunk));
    const over = once(socket, "end");
    // POST, whose body follows the GOAWAY.
    const post = [0x83, 0x86, 0x84, 0x41, 1, 97];
    const goaway = frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(Uint8Array.from([
      ...frame(4, 0, 0, []),
      ...frame(1, 4, 1, post),
      ...frame(1, 5, 3, [0x82, 0x86, 0x84, 0x41, 1, 97]),
      ...goaway,
      ...frame(0, 0, 1, [97, 104]),
      ...goaway,
      ...frame(0, 1, 1, [111, 121]),
    ]));
    await over;
    socket.end();
    expect(asked).toBe(2);
    expect(new TextDecoder().decode(Uint8Array.from(bytes))).toContain("ahoy");
    expect(server.lines.filter((line) => line.startsWith("error"))).toEqual([]);
  });

  // No stream is open: the connection closes without waiting for the client.
  test("closes an idle connection at the client's GOAWAY (RFC 9113 6.8)", async () => {
    await using server = await serveBehindHost(http2(app));
    const socket = await server.connectPlain();
    socket.resume();
    const over = once(socket, "end");
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(Uint8Array.from([
      ...frame(4, 0, 0, []),
      ...frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]),
    ]));
    await over;
    socket.end();
  });

  // Invalid HTTP/2 after the preface ends only its own connection.
  test("closes a connection that violates the protocol", async () => {
    await using server = await serveBehindHost(http2(app), http(app));
    const socket = await server.connectPlain();
    const over = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.resume();
    socket.end(
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is not a frame, nor is it the beginning of one",
    );
    await over;
    expect(server.lines.filter((line) => line.startsWith("error"))).toEqual([]);
  });

  // POST with a body of the wrong length, or reset: the app gets an error with a status for the
  // response, and nothing is logged.
  test.each([
    ["a content-length that is not met", [0x0f, 13, 2, 49, 48], frame(0, 1, 1, [97])],
    ["trailers without END_STREAM", [], frame(1, 4, 1, [0, 1, 120, 1, 121])],
    ["a pseudo-header in trailers", [], frame(1, 5, 1, [0x84])],
    ["RST_STREAM", [], frame(3, 0, 1, [0, 0, 0, 8])],
  ] as [string, number[], number[]][])(
    "reports %s to the app, not to the log (RFC 9113 8.1)",
    async (_what, more, broken) => {
      const failures: unknown[] = [];
      const reading = Promise.withResolvers<void>();
      const reads = {
        async fetch(request: Request) {
          const text = request.text();
          reading.resolve();
          await text.catch((error: Error) => {
            failures.push(error.name);
            throw error;
          });
          return new Response("all is here");
        },
      };
      await using server = await serveBehindHost(http2(reads));
      const socket = await server.connectPlain();
      const ponged = pongOf(socket);
      socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      const head = frame(1, 4, 1, [0x83, 0x86, 0x84, 0x41, 1, 97, ...more]);
      socket.write(Uint8Array.from([...frame(4, 0, 0, []), ...head]));
      await reading.promise;
      socket.write(Uint8Array.from([...broken, ...PING]));
      await ponged;
      await until(() => failures.length > 0);
      expect(failures).toEqual(["RequestBodyError"]);
      expect(server.lines).toEqual([]);
      socket.destroy();
    },
  );

  // One line says what is wrong.
  test("validates its options", () => {
    expect(() => http2({} as never)).toThrow(/^http2: app: expected /);
    expect(() => http2(app, { maxConcurrentStreams: 0 })).toThrow(
      /^http2: options.maxConcurrentStreams: /,
    );
  });

  // The URL has exactly the host in the request.
  test.each([
    ["berth.test", "/good", ["http://berth.test/good"]],
    ["berth.test", "@evil.example/", []],
    ["berth.test", ".evil.example/", []],
    ["berth.test", "*", []],
    ["berth.test@evil.example", "/", []],
    ["berth.test/evil", "/", []],
    ["", "/", []],
  ] as [string, string, string[]][])(
    "serves no URL of another host: %s and %s (RFC 9113 8.3.1)",
    async (authority, path, served) => {
      const urls: string[] = [];
      const listing = {
        fetch({ url }: Request) {
          urls.push(url);
          return new Response("served");
        },
      };
      await using server = await serveBehindHost(http2(listing));
      const socket = await server.connectPlain();
      const literal = (index: number, text: string) => [
        index,
        text.length,
        ...new TextEncoder().encode(text),
      ];
      const fields = (to: string, at: string) => [
        0x82,
        0x86,
        ...literal(0x41, to),
        ...literal(0x44, at),
      ];
      const ponged = pongOf(socket);
      socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      const bad = frame(1, 5, 1, fields(authority, path));
      socket.write(Uint8Array.from([...frame(4, 0, 0, []), ...bad, ...PING]));
      await ponged;
      expect(urls).toEqual(served);
    },
  );

  // Reset streams no longer count in the protocol, but the app still handles them.
  test("limits the concurrent requests of an app (RFC 9113 10.5)", async () => {
    const release = Promise.withResolvers<void>();
    const counts = { running: 0, most: 0, served: 0 };
    const slow = {
      async fetch() {
        counts.most = Math.max(counts.most, ++counts.running);
        await release.promise;
        counts.running--;
        counts.served++;
        return new Response("done");
      },
    };
    await using server = await serveBehindHost(http2(slow, { maxConcurrentStreams: 5 }));
    const socket = await server.connectPlain();
    const ponged = pongOf(socket);
    const resets = Array.from({ length: 50 }, (_, i) => requestAndReset(2 * i + 1)).flat();
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(Uint8Array.from([...frame(4, 0, 0, []), ...resets, ...PING]));
    await ponged;
    release.resolve();
    expect(counts.most).toBeGreaterThan(0);
    expect(counts.most).toBeLessThanOrEqual(5);
  });
});
