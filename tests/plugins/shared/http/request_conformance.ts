/**
 * Tests of the Request that an application gets.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { methodOverride } from "hono/method-override";
import { createServer } from "node:http";
import { inspect } from "node:util";
import { RequestHeadParser } from "../../../../plugins/http/request_head.ts";
import { HttpRefusal } from "../../../../plugins/shared/http/refusal.ts";
import { abortRequest, createRequest } from "../../../../plugins/shared/http/request.ts";
import { requestUrl } from "../../../../plugins/shared/http/request_target.ts";
import { settle } from "../../../support/fake_socket.ts";
import { contentOf, exchange, latin1, serve } from "../../http/support.ts";

const LIMITS = { maxRequestLineBytes: 1000, maxHeaderBytes: 1000, maxHeaders: 20 };
const FIELDS: [string, string][] = [
  ["Host", "host:8080"],
  ["Accept", "a/b"],
  ["X-Once", "1"],
  ["x-twice", "1"],
  ["Cookie", "a=1"],
  ["X-Twice", "2"],
  ["cookie", "b=2"],
  ["X-Latin", "\xe4"],
];
const URL_TEXT = "http://host:8080/a/b?c=d%20e";

/** The Request that an application gets for a request with `FIELDS`. */
function received(method = "GET", target = "/a/./x/../b?c=d%20e"): Request {
  const lines = FIELDS.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const bytes = latin1(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`);
  const head = new RequestHeadParser(LIMITS).parse(bytes, 0, bytes.length);
  if (head === undefined || head instanceof HttpRefusal) throw new Error("no head");
  const request = createRequest(head, requestUrl(head, "host", "http") as string, undefined);
  if (request instanceof HttpRefusal) throw new Error(request.reason);
  return request;
}

/**
 * The same as a Request of the platform; it has one Cookie, because the platform joins them with
 * ",".
 */
function plain(method = "GET"): Request {
  const headers = new Headers(FIELDS);
  headers.set("cookie", "a=1; b=2");
  return new Request(URL_TEXT, { method, headers });
}

/** Every property that is not an object, by name. */
function values(request: Request): Record<string, unknown> {
  const names = Object.keys(Object.getOwnPropertyDescriptors(Request.prototype));
  const all = names.map((name) => [name, Reflect.get(request, name)]);
  return Object.fromEntries(all.filter(([, value]) => !(value instanceof Object)));
}

/** The behaviour required of the server's Request on every platform. */
export function requestConformance(): void {
  describe("the request that an application gets", () => {
    // Whichever property an application reads first, it behaves like any Request.
    test.each(["GET", "HEAD", "DELETE"])(
      "has for %s the properties that a Request has",
      (method) => {
        expect(values(received(method))).toEqual(values(plain(method)));
        expect(received(method) instanceof Request).toBe(true);
        expect(Object.prototype.toString.call(received(method))).toBe("[object Request]");
        expect(inspect(received(method))).toContain("Request");
        expect(() => structuredClone(received(method))).toThrow();
      },
    );

    // It has no content, and reading the body does not mark it as used.
    test("has the body of a Request without content", async () => {
      expect(received().body).toBeNull();
      expect(await received().text()).toBe("");
      expect((await received().arrayBuffer()).byteLength).toBe(0);
      const request = received();
      await request.text();
      expect(request.bodyUsed).toBe(false);
    });

    const copies: Record<string, (request: Request) => Request> = {
      "clone()": (request) => request.clone(),
      "Request.prototype.clone": (request) => Request.prototype.clone.call(request),
      "new Request(request)": (request) => new Request(request),
      "new Request(request, init)": (request) => new Request(request, { redirect: "manual" }),
      "new Request(url, request)": (request) => new Request(request.url, request),
      "a subclass": (request) => new (class Sub extends Request {})(request),
      "its parts": ({ url, method, headers }) => new Request(url, { method, headers }),
    };
    for (const [name, copy] of Object.entries(copies)) {
      // Frameworks copy requests to change them.
      test(`can be copied by ${name}`, () => {
        const made = copy(received("HEAD"));
        expect(made.url).toBe(URL_TEXT);
        expect(made.method).toBe("HEAD");
        expect([...made.headers]).toEqual([...plain().headers]);
      });

      // Changes made before the copy are in the copy, and the copy is independent.
      test(`can be changed and then copied by ${name}`, () => {
        const request = received();
        expect(request.headers.get("x-once")).toBe("1");
        request.headers.set("X-Once", "2");
        const made = copy(request);
        made.headers.set("x-once", "3");
        expect(made.headers.get("x-once")).toBe("3");
        expect(request.headers.get("x-once")).toBe("2");
      });
    }

    // Properties that applications add stay, and the built-in ones cannot be set.
    test("accepts added properties as a Request does", () => {
      const request = Object.assign(received(), { params: 1 });
      expect(request.params).toBe(1);
      expect(() => Reflect.set(request, "url", "x")).not.toThrow();
      expect(request.url).toBe(URL_TEXT);
    });

    // The client may go away before or after the signal is first read.
    test("has one signal, aborted when the client goes away", () => {
      const request = received();
      const { signal } = request;
      expect(signal.aborted).toBe(false);
      abortRequest(request, "gone");
      expect(request.signal).toBe(signal);
      expect(signal.reason).toBe("gone");
      const late = received();
      abortRequest(late, "gone");
      expect(late.signal.aborted).toBe(true);
    });
  });

  describe("its headers", () => {
    const NAMES = ["host", "HOST", "x-once", "X-Twice", "cookie", "x-latin", "x-none", "accept"];

    // Most applications read single values.
    test.each(NAMES)("return the same for %s as Headers", (name) => {
      const { headers } = plain();
      expect(received().headers.get(name)).toBe(headers.get(name));
      expect(received().headers.has(name)).toBe(headers.has(name));
    });

    // An invalid name is refused, as Headers does.
    test.each(["", "a b", "ä", "a:"])("refuse the name %j as Headers do", (name) => {
      expect(() => received().headers.get(name)).toThrow(TypeError);
      expect(() => received().headers.has(name)).toThrow(TypeError);
    });

    // Everything else is the platform's Headers.
    test("are Headers", () => {
      const { headers } = received();
      expect(headers instanceof Headers).toBe(true);
      expect(received().headers).not.toBe(headers);
      const all = [...plain().headers];
      expect([...received().headers]).toEqual(all);
      expect([...received().headers.keys()]).toEqual(all.map(([name]) => name));
      expect([...new Headers(received().headers)]).toEqual(all);
      expect(Object.fromEntries(received().headers.entries())).toEqual(Object.fromEntries(all));
      const seen: string[][] = [];
      received().headers.forEach((value, name) => seen.push([name, value]));
      expect(seen).toEqual(all);
      expect(received().headers.getSetCookie()).toEqual([]);
      expect(Reflect.apply(Headers.prototype.get, headers, ["x-once"])).toBe("1");
    });

    // They are one object, and a change is seen through every accessor.
    test("are the same at each call and can be changed", () => {
      const request = received();
      const { headers } = request;
      expect(headers.get("x-once")).toBe("1");
      headers.delete("X-Once");
      headers.append("X-New", "n");
      expect(headers.has("x-once")).toBe(false);
      expect(request.headers).toBe(headers);
      expect(request.headers.get("x-new")).toBe("n");
      (Reflect.get(Request.prototype, "headers", request) as Headers).set("x-new", "m");
      expect(headers.get("X-New")).toBe("m");
      expect(request.clone().headers.get("x-new")).toBe("m");
    });

    // Reading the signal first makes no difference.
    test("can be changed by the platform's own accessor", () => {
      const request = received();
      expect(request.headers.get("x-once")).toBe("1");
      (Reflect.get(Request.prototype, "headers", request) as Headers).set("x-once", "2");
      expect(request.headers.get("x-once")).toBe("2");
    });
  });

  describe("an application that", () => {
    const GET = "GET /a HTTP/1.1\r\nHost: h\r\nOrigin: http://o\r\nConnection: close\r\n\r\n";

    // Middleware reads fields, creates new requests and mounts other applications.
    test("uses Hono's middleware gets what it needs", async () => {
      const inner = (request: Request) =>
        new Response(`${request.url} ${request.headers.get("host")}`);
      const app = new Hono().use(cors(), etag()).mount("/", inner);
      app.use(methodOverride({ app }));
      const text = await exchange(app, GET);
      expect(text).toContain("access-control-allow-origin: *\r\n");
      expect(text).toContain("etag: ");
      expect(contentOf(text)).toBe("http://h/a h");
    });

    // Hono can return all fields at once.
    test("lists the fields gets all of them", async () => {
      const app = new Hono().get("/a", (c) => c.json(c.req.header()));
      expect(JSON.parse(contentOf(await exchange(app, GET)))).toEqual({
        host: "h",
        origin: "http://o",
        connection: "close",
      });
    });

    // A reverse proxy is `fetch: (request) => fetch(request)`.
    test("passes the request to fetch works as a proxy", async () => {
      const upstream = createServer(({ method, url, headers }, response) => {
        response.end(`${method} ${url} ${headers["x-more"]}`);
      });
      await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
      const { port } = upstream.address() as { port: number };
      const proxy = async (request: Request) => {
        request.headers.set("X-More", "more");
        const response = await fetch(request);
        return new Response(await response.text());
      };
      const { send, client, pending } = serve(proxy);
      await send(`GET /x?y HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
      while (pending() === "") await settle();
      client.abort();
      upstream.closeAllConnections();
      await new Promise((resolve) => upstream.close(resolve));
      expect(contentOf(pending())).toContain("GET /x?y more");
    });
  });
}
