import { connect } from "node:http2";
import { Duplex } from "node:stream";
import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { createStack } from "../../../../core/api/stack.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { http, type HttpOptions } from "../../../../plugins/http.ts";
import { http2 } from "../../../../plugins/http2.ts";
import { proxyProtocol } from "../../../../plugins/middleware/proxy_protocol.ts";
import { accessLine } from "../../../../plugins/shared/http/access_log.ts";
import { bytes, readText, StackPair } from "../../../core/api/stack_pair.ts";

const AT = new Date(Date.UTC(2026, 0, 31, 12, 3, 4));
const head = (target: string, ...fields: string[]) => ({ method: "GET", target, fields });

/** The lines with the time replaced by `T`. */
function linesOf(pair: StackPair): unknown[] {
  return pair.lines.filter(({ message }) => message === "access").map(({ fields }) =>
    String(fields!["line"]).replace(/\[.*?\]/, "[T]")
  );
}

describe("accessLine", () => {
  // The formats are those of NCSA httpd, Apache and nginx.
  test("has the common and the combined format", () => {
    const request = {
      head: head("/a?b", "User-Agent", "curl/8", "referer", "http://h/"),
      status: 200,
      bytes: 12,
      protocol: "HTTP/1.1",
    };
    expect(accessLine("10.0.0.1", "common", request, AT))
      .toBe('10.0.0.1 - - [31/Jan/2026:12:03:04 +0000] "GET /a?b HTTP/1.1" 200 12');
    expect(accessLine("fd00::1", "combined", request, AT)).toBe(
      'fd00::1 - - [31/Jan/2026:12:03:04 +0000] "GET /a?b HTTP/1.1" 200 12 "http://h/" "curl/8"',
    );
  });

  // A client cannot end a field or a line, or write control characters to a terminal.
  test("escapes what the client chose", () => {
    const request = {
      head: head('/"\\', "user-agent", 'x" 200\n\x1b[31m\u{fc}\u20ac'),
      status: 404,
      bytes: 0,
      protocol: "HTTP/1.1",
    };
    const line = accessLine("10.0.0.1", "combined", request, AT);
    expect(line).toContain(String.raw`"GET /\x22\x5C HTTP/1.1" 404 0 "-"`);
    expect(line).toContain(String.raw`"x\x22 200\x0A\x1B[31m\xFC\u20ac"`);
  });
});

describe("the access log of http", () => {
  const options: HttpOptions = { accessLog: "common" };
  const fetch = (request: Request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/stream") {
      const pieces = [new Uint8Array(30_000), new Uint8Array(70_000)];
      return new Response(
        new ReadableStream({
          pull(controller) {
            const piece = pieces.shift();
            if (piece === undefined) controller.close();
            else controller.enqueue(piece);
          },
        }),
      );
    }
    return pathname === "/fault" ? Promise.reject(new Error("fault")) : new Response("ahoy");
  };

  // `bytes` counts only content: not the head, not the framing of chunked, and nothing for HEAD.
  test("has a line for each request", async () => {
    await using pair = new StackPair();
    pair.server.use(80, http({ fetch }, options));
    const exchange = async (text: string) => {
      const socket = pair.client.connect("10.0.0.2:80", { allowHalfOpen: true });
      const reading = readText(socket);
      await pair.run(socket.write(bytes(text)));
      await pair.clock.advance(10);
      await pair.run(socket.closeWrite());
      await pair.run(reading);
    };
    const get = (target: string, method = "GET") =>
      `${method} ${target} HTTP/1.1\r\nHost: h\r\n\r\n`;
    await exchange(get("/") + get("/", "HEAD") + get("/stream"));
    await exchange(get("/fault"));
    await exchange("GET /old HTTP/1.0\r\n\r\n");
    await exchange("nonsense\r\n\r\n");
    const lines = linesOf(pair).map((line) => String(line).replace("10.0.0.1 - - [T] ", ""));
    expect(lines.slice(0, 3)).toEqual([
      '"GET / HTTP/1.1" 200 4',
      '"HEAD / HTTP/1.1" 200 0',
      '"GET /stream HTTP/1.1" 200 100000',
    ]);
    expect(lines[3]).toMatch(/^"GET \/fault HTTP\/1.1" 500 \d+$/);
    expect(lines[4]).toBe('"GET /old HTTP/1.0" 200 4');
    expect(lines[5]).toMatch(/^"" 400 \d+$/);
    expect(lines.length).toBe(6);
  });

  // Behind a proxy, the line has the client from the header.
  test("names the client behind a proxy", async () => {
    await using pair = new StackPair();
    pair.server.use(80, proxyProtocol({ trusted: ["10.0.0.1"] }), http({ fetch }, options));
    const socket = pair.client.connect("10.0.0.2:80", { allowHalfOpen: true });
    const proxied = "PROXY TCP4 192.0.2.7 192.0.2.8 5000 80\r\n";
    await pair.run(socket.write(bytes(`${proxied}GET / HTTP/1.0\r\n\r\n`)));
    await pair.run(readText(socket));
    expect(linesOf(pair)).toEqual(['192.0.2.7 - - [T] "GET / HTTP/1.0" 200 4']);
  });

  // Without the option, no line is written.
  test("is off by default", async () => {
    await using pair = new StackPair();
    pair.server.use(80, http({ fetch }));
    const socket = pair.client.connect("10.0.0.2:80", { allowHalfOpen: true });
    await pair.run(socket.write(bytes("GET / HTTP/1.0\r\n\r\n")));
    await pair.run(readText(socket));
    expect(linesOf(pair)).toEqual([]);
    expect(() => http({ fetch }, { accessLog: "apache" as never })).toThrow(
      /accessLog: expected "common" or "combined", got "apache"/,
    );
  });

  // The lines are the same over HTTP/2.
  test("has lines of http2", async () => {
    const lines: unknown[] = [];
    const log = {
      ...silentLogger,
      info: (_: string, fields?: Record<string, unknown>) => lines.push(fields?.["line"]),
    };
    const [here, there] = linkPair();
    await using server = createStack({ link: here, addresses: ["10.0.0.1/24"], log });
    server.use(80, http2({ fetch }, { accessLog: "combined" }));
    await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
    const { readable, writable } = client.connect("10.0.0.1:80", { allowHalfOpen: true });
    const session = connect("http://10.0.0.1", {
      createConnection: () => Duplex.fromWeb({ readable, writable } as never),
    });
    for (const path of ["/", "/stream"]) {
      const stream = session.request({ ":path": path, "user-agent": "me" });
      stream.resume();
      await new Promise((resolve) => stream.on("close", resolve));
    }
    session.destroy();
    expect(lines.map((line) => String(line).replace(/\[.*?\]/, "[T]"))).toEqual([
      '10.0.0.2 - - [T] "GET / HTTP/2.0" 200 4 "-" "me"',
      '10.0.0.2 - - [T] "GET /stream HTTP/2.0" 200 100000 "-" "me"',
    ]);
  });
});
