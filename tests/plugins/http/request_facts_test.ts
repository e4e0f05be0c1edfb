import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { csrf } from "hono/csrf";
import { deriveSocket } from "../../../core/api/tcp/derived_socket.ts";
import { http } from "../../../plugins/http.ts";
import { settle, socketPair, testContext } from "../../support/fake_socket.ts";
import { contentOf, exchange, latin1, statuses, textOf } from "./support.ts";

const CLOSE = "GET /a?b HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n";

/** `exchange` on a connection with TLS. */
async function exchangeInside(app: Hono, request: string): Promise<string> {
  const { client, server } = socketPair();
  const { context } = testContext(deriveSocket(server, { upgraded: true }));
  void Promise.resolve(http(app).handle!(context, () => Promise.resolve())).then(() =>
    server.close()
  );
  await client.write(latin1(request));
  let text = "";
  for await (const chunk of client) text += textOf(chunk);
  return text;
}

describe("the URL of a request", () => {
  const app = new Hono().all("*", (c) => c.text(c.req.url));

  // https with TLS, for every form of the target.
  test.each([
    [CLOSE, "//h.test/a?b"],
    [CLOSE.replace("/a?b", "http://o.test/c"), "//o.test/c"],
    [CLOSE.replace("/a?b", "https://o.test/c"), "//o.test/c"],
    [CLOSE.replace("h.test", "h.test:443"), "//h.test"],
    [CLOSE.replace("HTTP/1.1\r\nHost: h.test", "HTTP/1.0"), "//10.0.0.1:80/a?b"],
  ])("has the scheme of the connection (%#)", async (request, rest) => {
    const inside = contentOf(await exchangeInside(app, request));
    const outside = contentOf(await exchange(app, request));
    if (rest.includes("10.0.0.1")) {
      expect(inside.startsWith("https://")).toBe(true);
      expect(outside.startsWith("http://")).toBe(true);
    } else {
      expect(inside.startsWith(`https:${rest}`)).toBe(true);
      expect(outside.startsWith(`http:${rest}`)).toBe(true);
    }
  });

  // A form posted from the same site is accepted.
  test("lets csrf() recognize its own origin", async () => {
    const guarded = new Hono().use(csrf()).post("/", (c) => c.text("ok"));
    const post = "POST / HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\nContent-Length: 3\r\n" +
      "Content-Type: application/x-www-form-urlencoded\r\nOrigin: https://h.test\r\n\r\na=1";
    expect(statuses(await exchangeInside(guarded, post))).toEqual([200]);
    expect(statuses(await exchange(guarded, post))).toEqual([403]);
  });
});

describe("several fields of one name", () => {
  // A client or an HTTP/2 gateway may split cookies; joined by a comma as in Fetch, they would be
  // wrong.
  test.each(["GET", "DELETE"])('Cookie are one, joined by "; " (%s)', async (method) => {
    const app = (request: Request) =>
      new Response(
        `${request.headers.get("cookie")}|${new Headers(request.headers).get("cookie")}`,
      );
    const request = CLOSE.replace("GET", method)
      .replace(
        "Connection",
        "Cookie: a=1\r\nX: 1\r\ncookie: b=2; c=3\r\nCOOKIE: d=4\r\nConnection",
      );
    const joined = "a=1; b=2; c=3; d=4";
    expect(contentOf(await exchange(app, request))).toBe(`${joined}|${joined}`);
  });

  // All other fields are lists (RFC 9110 5.3).
  test("else are joined by commas", async () => {
    const app = (request: Request) => new Response(request.headers.get("accept"));
    const request = CLOSE.replace("Connection", "Accept: a\r\nAccept: b\r\nConnection");
    expect(contentOf(await exchange(app, request))).toBe("a, b");
  });
});

describe("the body of a request", () => {
  const head = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n";
  const REQUESTS: Record<string, string> = {
    "that has come with its head": `${head}Content-Length: 10\r\n\r\n0123456789`,
    "of chunks": `${head}Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n`,
  };
  for (const [name, request] of Object.entries(REQUESTS)) {
    // With a BYOB reader and small buffers, up to the end.
    test(`${name} is a byte stream`, async () => {
      const app = async ({ body }: Request) => {
        const reader = body!.getReader({ mode: "byob" });
        const sizes: number[] = [];
        let text = "";
        for (;;) {
          const { done, value } = await reader.read(new Uint8Array(7));
          if (value) text += textOf(value);
          if (done) break;
          sizes.push(value!.length);
        }
        return new Response(`${text} ${sizes.every((size) => size <= 7)}`);
      };
      expect(contentOf(await exchange(app, request))).toBe("0123456789 true");
    });

    // Inspected, cloned, read by a default reader, and passed on, like any body.
    test(`${name} can be read in every other way`, async () => {
      const app = async (request: Request) => {
        const same = request.body === request.body;
        const copy = await request.clone().text();
        const [first, second] = request.body!.tee();
        const texts = await Promise.all([first, second].map((each) => new Response(each).text()));
        return new Response([same, copy, ...texts, request.bodyUsed].join(" "));
      };
      const digits = "0123456789";
      expect(contentOf(await exchange(app, request))).toBe(
        `true ${digits} ${digits} ${digits} true`,
      );
    });

    // A stream that was started cannot be read again.
    test(`${name} can be used only once`, async () => {
      const app = async (request: Request) => {
        await request.body!.getReader().read();
        return new Response(await request.text().then(() => "again", () => "used"));
      };
      expect(contentOf(await exchange(app, request))).toBe("used");
    });

    // Cancelling the body ends its stream.
    test(`${name} can be cancelled`, async () => {
      const app = async (request: Request) => {
        await request.body!.cancel();
        await settle();
        return new Response("cancelled");
      };
      expect(contentOf(await exchange(app, request))).toBe("cancelled");
    });
  }
});
