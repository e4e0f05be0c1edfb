import { describe, expect, test } from "bun:test";
import { settle } from "../../support/fake_socket.ts";
import { contentOf, exchange, reflect, serve, statuses } from "./support.ts";

const hello = () => new Response("hello");
const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

describe("a response", () => {
  // The whole response as on the wire, in one write.
  test("has status line, fields, Date, Content-Length and content (RFC 9112 4, 6)", async () => {
    const { send, received, clock } = serve(hello);
    await send(GET);
    expect(received()).toBe(
      "HTTP/1.1 200 OK\r\ncontent-type: text/plain;charset=UTF-8\r\ndate: *\r\n" +
        "content-length: 5\r\n\r\nhello",
    );
    expect(clock.pending).toBe(1);
  });

  // The current time in the format to be generated.
  test("has a Date field (RFC 9110 5.6.7, 6.6.1)", async () => {
    const { send, client } = serve(hello, { collect: false });
    await send(GET);
    const buffer = new Uint8Array(1000);
    const text = new TextDecoder().decode(buffer.subarray(0, (await client.read(buffer))!));
    const date = /\r\ndate: (.*)\r\n/.exec(text)![1]!;
    expect(date).toMatch(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/);
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(5000);
  });

  // Each cookie has its own line, and the application's Date is kept.
  test("has the application's fields, Set-Cookie line by line (RFC 9110 5.3)", async () => {
    const text = await exchange(() => {
      const headers = new Headers({ "X-A": "caf\xe9", date: "never", server: "s" });
      headers.append("set-cookie", "a=1");
      headers.append("set-cookie", "b=2");
      return new Response(null, { status: 404, statusText: "Nope", headers });
    }, GET);
    expect(text).toContain("HTTP/1.1 404 Nope\r\n");
    const lines = ["date: *", "server: s", "set-cookie: a=1", "set-cookie: b=2", "x-a: caf\xe9"];
    expect(text.split("\r\n").filter((line) => lines.includes(line)).sort()).toEqual(lines);
    expect(text.endsWith("content-length: 0\r\n\r\n")).toBe(true);
  });

  // Framing and persistence are decided by the server.
  test("leaves framing to the server (RFC 9112 6, RFC 9110 7.6.1)", async () => {
    const headers = { "transfer-encoding": "chunked", "keep-alive": "x", connection: "x-hop" };
    const text = await exchange(() => new Response("hello", { headers }), GET);
    expect(text).not.toMatch(/transfer-encoding|keep-alive|x-hop/);
    expect(text).toContain("content-length: 5\r\n\r\nhello");
  });

  // HEAD has the fields of GET without content; the next response follows directly.
  test("to HEAD has no content (RFC 9110 9.3.2)", async () => {
    const { send, received } = serve(hello);
    await send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + GET);
    const [first, second] = received().split(/(?=HTTP\/1\.1)/);
    expect(first).toContain("content-length: 5\r\n\r\n");
    expect(contentOf(first!)).toBe("");
    expect(contentOf(second!)).toBe("hello");
  });

  // An application may answer HEAD itself and know the length.
  test("to HEAD keeps the application's Content-Length (RFC 9110 8.6)", async () => {
    const app = () => new Response(null, { headers: { "content-length": "1234" } });
    expect(await exchange(app, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"))
      .toContain("content-length: 1234\r\n");
  });

  // These end with their heads, regardless of the fields.
  test("of 204 and 304 has neither content nor length (RFC 9112 6.3)", async () => {
    for (const status of [204, 304]) {
      const text = await exchange(() => new Response(null, { status }), GET);
      expect(statuses(text)).toEqual([status]);
      expect(text).not.toContain("content-length");
      expect(contentOf(text)).toBe("");
    }
  });

  // Large content of a known length is written in pieces, unchanged.
  test("of several hundred KiB arrives whole", async () => {
    const content = "0123456789abcdef".repeat(20_000);
    const text = await exchange(() => new Response(content), GET);
    expect(statuses(text)).toEqual([200]);
    const body = contentOf(text);
    const chunked = text.includes("transfer-encoding: chunked");
    expect(chunked ? unchunk(body) : body).toBe(content);
  });
});

describe("a request", () => {
  // Method, URL and fields reach the application; the URL is made with Host.
  test("reaches the application as a Request", async () => {
    let seen: Request | undefined;
    await exchange((request) => {
      seen = request;
      return new Response();
    }, "PROPFIND /a%20b?c=d HTTP/1.1\r\nHost: x.example:8080\r\nX-A: 1\r\nx-a: 2\r\n\r\n");
    expect(seen).toBeInstanceOf(Request);
    expect(seen!.method).toBe("PROPFIND");
    expect(seen!.url).toBe("http://x.example:8080/a%20b?c=d");
    expect(seen!.headers.get("X-A")).toBe("1, 2");
    expect(seen!.body).toBeNull();
  });

  // Clients of a proxy send the absolute form; its authority overrides Host.
  test("may have an absolute target, which overrides Host (RFC 9112 3.2.2)", async () => {
    const app = (request: Request) => new Response(`${request.url} ${request.headers.get("host")}`);
    const text = await exchange(app, "GET http://y.example/a HTTP/1.1\r\nHost: x.example\r\n\r\n");
    expect(contentOf(text)).toBe("http://y.example/a y.example");
  });

  // No URL can represent "*", so the server answers itself.
  test("of OPTIONS * is answered by the server (RFC 9110 9.3.7)", async () => {
    const text = await exchange(hello, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n" + GET);
    expect(statuses(text)).toEqual([204, 200]);
  });

  // Methods are case-sensitive; Fetch would normalize "get" to GET.
  test("with a method that only looks like one is refused with 501 (RFC 9110 9.1)", async () => {
    expect(statuses(await exchange(hello, "get / HTTP/1.1\r\nHost: h\r\n\r\n"))).toEqual([501]);
  });

  // One byte at a time, which tests all state kept between reads.
  test("may come byte by byte", async () => {
    const requests = "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" +
      "\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x\r\nf\r\n0\r\nT: u\r\n\r\n" +
      "GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    const slow = await exchange(reflect, requests, { pair: { readSize: 1 } });
    expect(slow).toBe(await exchange(reflect, requests));
    const bodies = slow.split(/(?=HTTP\/1\.1)/).map(contentOf);
    expect(bodies).toEqual(["POST /1 abc", "POST /2 def", "GET /3 "]);
  });

  // A copy made by middleware carries everything over.
  test("can be copied with its body", async () => {
    const app = async (request: Request) => {
      const copy = new Request(request, { headers: { "x-b": "2" } });
      return new Response(`${copy.method} ${copy.headers.get("x-b")} ${await copy.text()}`);
    };
    const text = await exchange(app, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    expect(contentOf(text)).toBe("PUT 2 abc");
  });
});

describe("a connection", () => {
  // Connections of HTTP/1.1 persist by default.
  test("carries one request after the other (RFC 9112 9.3)", async () => {
    const { send, received, client } = serve(reflect);
    for (const path of ["/1", "/2", "/3"]) {
      await send(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`);
      expect(contentOf(received())).toBe(`GET ${path} `);
    }
    expect(client.state).toBe("ESTABLISHED");
  });

  // Persistence and the Connection field of the response.
  for (
    const [request, connection, persists] of [
      ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", "", true],
      ["GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", "", true],
      ["GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "close", false],
      ["GET / HTTP/1.1\r\nHost: h\r\nConnection: X, Close\r\n\r\n", "close", false],
      [
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
        "close",
        false,
      ],
      ["GET / HTTP/1.0\r\n\r\n", "close", false],
      ["GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "keep-alive", true],
    ] as [request: string, connection: string, persists: boolean][]
  ) {
    test(`${JSON.stringify(request)} leads to "${connection}" (RFC 9112 9.3)`, async () => {
      const { send, received, server } = serve(hello);
      await send(request);
      const text = received();
      expect(/\r\nconnection: (.*)\r\n/.exec(text)?.[1] ?? "").toBe(connection);
      expect(contentOf(text)).toBe("hello");
      expect(server.ended).toBe(!persists);
    });
  }

  // The application can close the connection.
  test("ends when the application sends Connection: close (RFC 9112 9.6)", async () => {
    const app = () => new Response("bye", { headers: { connection: "close" } });
    const { send, received, server } = serve(app);
    await send(GET);
    expect(received()).toContain("connection: close\r\n\r\nbye");
    expect(server.ended).toBe(true);
  });

  // Responses are in the order of the requests, and the application gets one request at a time.
  test("answers pipelined requests in order (RFC 9112 9.3.2)", async () => {
    let active = 0;
    const app = async (request: Request) => {
      expect(++active).toBe(1);
      if (request.url.endsWith("/0")) await settle();
      active--;
      return new Response(new URL(request.url).pathname);
    };
    const { send, received } = serve(app);
    const paths = Array.from({ length: 50 }, (_, i) => `/${i}`);
    await send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`).join(""));
    await settle();
    expect(received().split(/(?=HTTP\/1\.1)/).map(contentOf)).toEqual(paths);
  });

  // While the application is busy, pipelined data is read up to a limit, to find the FIN; the rest
  // stays in the client's TCP.
  test("reads at most 16 KiB of pipelined requests", async () => {
    const { client, server } = serve(() => new Promise<Response>(() => {}));
    client.write(new TextEncoder().encode(GET.repeat(10_000))).catch(() => {});
    await settle();
    expect(server.bytesRead).toBeLessThanOrEqual(16_384 + GET.length);
    client.abort();
  });

  // nc sends its request and half-closes: it gets the response, then EOF.
  test("is answered after the client's FIN (RFC 9112 9.6)", async () => {
    const { client, received, finished, server } = serve(async () => {
      await settle();
      return new Response("late");
    });
    await client.write(new TextEncoder().encode(GET));
    await client.closeWrite();
    await finished;
    await settle();
    expect(contentOf(received())).toBe("late");
    expect(server.ending).toBe("close");
  });

  // An incomplete head is an error; EOF before a request is not.
  test("that ends within a head is answered with 400 (RFC 9112 8)", async () => {
    expect(statuses(await exchange(hello, "GET / HT"))).toEqual([400]);
    expect(await exchange(hello, "")).toBe("");
    expect(statuses(await exchange(hello, GET))).toEqual([200]);
  });

  // Idle connections close at once, a busy one after its response.
  test("ends gracefully when the stack closes", async () => {
    const idle = serve(hello);
    await idle.send(GET);
    idle.stop();
    await idle.finished;
    expect(idle.server.ending).toBe("close");
    expect(idle.clock.pending).toBe(0);

    const answer = Promise.withResolvers<Response>();
    const busy = serve(() => answer.promise);
    await busy.send(GET);
    busy.stop();
    answer.resolve(new Response("last"));
    await settle();
    expect(busy.received()).toContain("connection: close\r\n\r\nlast");
    await busy.client.closeWrite();
    await busy.finished;
  });

  // A reset by the client is not an error of the application.
  test("that breaks aborts the request's signal and ends quietly", async () => {
    let signal: AbortSignal | undefined;
    const { send, client, finished, lines } = serve((request) => {
      signal = request.signal;
      return new Promise((_, reject) => {
        signal!.addEventListener("abort", () => reject(new Error("given up")));
      });
    });
    await send(GET);
    expect(signal!.aborted).toBe(false);
    client.abort();
    await finished;
    expect(signal!.aborted).toBe(true);
    expect(lines.filter(({ level }) => level !== "debug")).toEqual([]);
  });

  // A handler that reads the signal afterwards finds it aborted.
  test("that broke has an aborted signal", async () => {
    let request: Request | undefined;
    const { send, client, finished } = serve(async (received) => {
      request = received;
      client.abort();
      await settle();
      return new Response();
    });
    await send(GET);
    await finished;
    expect(request!.signal.aborted).toBe(true);
  });
});

describe("an application that fails", () => {
  // The failure is logged, the client gets 500, and the next request is served.
  for (
    const [how, fail] of [
      ["throws", () => {
        throw new Error("boom");
      }],
      ["rejects", () => Promise.reject(new Error("boom"))],
      ["returns nothing", () => undefined as unknown as Response],
      ["returns Response.error()", () => Response.error()],
      ["returns a used Response", async () => {
        const response = new Response("x");
        await response.text();
        return response;
      }],
      [
        "has a status text with a line end (RFC 9112 4)",
        () => withStatusText("OK\r\nX-Injected: 1"),
      ],
      ["switches protocols without a reason", () => new Response(null, { status: 101 })],
      [
        "has a body that fails at once",
        () =>
          new Response(
            new ReadableStream({ pull: (controller) => controller.error(new Error("x")) }),
          ),
      ],
    ] as [how: string, fail: () => Response | Promise<Response>][]
  ) {
    test(`because it ${how} is a 500, and the connection continues`, async () => {
      const app = (request: Request) => request.url.endsWith("/fail") ? fail() : hello();
      const { send, received, lines } = serve(app);
      await send("GET /fail HTTP/1.1\r\nHost: h\r\n\r\n" + GET);
      const text = received();
      expect(statuses(text)).toEqual([500, 200]);
      expect(text).not.toContain("boom");
      const errors = lines.filter(({ level }) => level === "error");
      expect(errors.length).toBe(1);
      expect(errors[0]!.fields).toMatchObject({ method: "GET", target: "/fail" });
    });
  }
});

function unchunk(text: string): string {
  let whole = "";
  for (let at = 0; at < text.length;) {
    const lineEnd = text.indexOf("\r\n", at);
    const size = parseInt(text.slice(at, lineEnd), 16);
    whole += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
  return whole;
}

/** A Response with an unchecked `statusText`, as Bun allows it. */
function withStatusText(statusText: string): Response {
  return Object.defineProperty(new Response("hello"), "statusText", { value: statusText });
}
