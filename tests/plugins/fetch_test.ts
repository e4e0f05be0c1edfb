import { describe, expect, test } from "bun:test";
import { sleepUntil } from "../../core/api/environment.ts";
import type { Handler } from "../../core/api/types.ts";
import { createFetch, type FetchFunction, type FetchOptions } from "../../plugins/fetch.ts";
import { http, type HttpEnv } from "../../plugins/http.ts";
import { readLines } from "../../core/api/lines.ts";
import { Dice } from "../fuzz/dice.ts";
import { bytes, StackPair } from "../core/api/stack_pair.ts";

type App = (request: Request, env: HttpEnv) => Response | Promise<Response>;

/** A client and a server at 10.0.0.2; port 80 serves an app or a handler. */
class Net extends StackPair {
  readonly fetch: FetchFunction;

  constructor(
    serve: App | { raw: Handler },
    options: FetchOptions = { resolve: () => "10.0.0.2" },
  ) {
    super();
    const handler = "raw" in serve ? serve.raw : http({ fetch: serve as never });
    this.server.use(80, handler);
    this.fetch = createFetch(this.client, options);
  }

  /** The body of the response. */
  async text(url: string, init?: RequestInit): Promise<string> {
    return await this.run(this.fetch(url, init).then((response) => response.text()));
  }

  /** Waits in virtual time, for a minute at most. */
  async until(condition: () => boolean): Promise<void> {
    const { signal } = new AbortController();
    for (let ms = 0; !condition(); ms++) {
      if (ms > 60_000) throw new Error("the condition has not become true");
      await this.run(sleepUntil(this.clock, this.clock.now() + 1, signal));
    }
  }

  /** The error that a promise rejects with. */
  async errorOf(promise: Promise<unknown>): Promise<Error> {
    const error = await this.run(promise.then(() => new Error("no error"), (error) => error));
    return error as Error;
  }
}

/** Answers each connection with the same bytes, after the head of the request. */
function raw(response: string, close = true): { raw: Handler } {
  return {
    async raw({ socket, signal }) {
      for await (const line of readLines(socket)) if (line === "") break;
      await socket.write(Uint8Array.from(response, (char) => char.charCodeAt(0)));
      if (close) return;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    },
  };
}

const OK = "HTTP/1.1 200 OK\r\n";

describe("createFetch", () => {
  // The server receives every part of the request, and the client every part of the response.
  test("sends a request and returns the response", async () => {
    await using net = new Net(async (request, { remoteAddr }) => {
      const { method, url, headers } = request;
      const names = ["host", "content-type", "content-length", "connection", "x-own"];
      const sent = names.map((name) => headers.get(name));
      return Response.json([method, url, sent, await request.text(), remoteAddr.hostname], {
        status: 201,
        statusText: "Made",
        headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]],
      });
    });
    const response = await net.run(net.fetch("http://name.test/a%20b?c=d#e", {
      method: "PUT",
      body: "ahoy",
      headers: { "x-own": "é", "connection": "upgrade", "content-length": "99" },
    }));
    expect([response.status, response.statusText, response.ok]).toEqual([201, "Made", true]);
    expect([response.url, response.redirected]).toEqual(["http://name.test/a%20b?c=d", false]);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await net.run(response.json())).toEqual([
      "PUT",
      "http://name.test/a%20b?c=d",
      ["name.test", "text/plain;charset=UTF-8", "4", "close", "é"],
      "ahoy",
      "10.0.0.1",
    ]);
  });

  // IP addresses need no resolver, and IPv6 is in brackets.
  test("connects to IP addresses and ports", async () => {
    await using net = new Net(() => new Response(""), {});
    net.server.use(8080, http({ fetch: (request) => new Response(request.headers.get("host")) }));
    expect(await net.text("http://10.0.0.2:8080/")).toBe("10.0.0.2:8080");
    expect(await net.text("http://[fd00::2]:8080/")).toBe("[fd00::2]:8080");
  });

  // Each method without a body, with the length that RFC 9110 8.6 asks for.
  test("states the length of an empty body only where one is expected", async () => {
    await using net = new Net(({ headers }) => new Response(headers.get("content-length")));
    expect(await net.text("http://a/")).toBe("");
    expect(await net.text("http://a/", { method: "POST" })).toBe("0");
    expect(await net.text("http://a/", { method: "POST", body: new Blob(["abc"]) })).toBe("3");
  });

  // Content-Length, chunked, and the end of the connection.
  test.each([
    ["Content-Length", `${OK}Content-Length: 4\r\n\r\nahoy`],
    ["equal lengths", `${OK}Content-Length: 4, 4\r\n\r\nahoy`],
    ["a length between spaces", `${OK}Content-Length:\t 4 ,\t4 \t\r\n\r\nahoy`],
    [
      "chunked",
      `${OK}Transfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n3\r\nhoy\r\n0\r\nT: x\r\n\r\n`,
    ],
    ["the end", `${OK}\r\nahoy`],
    ["HTTP/1.0", "HTTP/1.0 200\r\n\r\nahoy"],
    [
      "interim responses",
      `HTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 C\r\n\r\n${OK}\r\nahoy`,
    ],
  ])("reads a body delimited by %s", async (_, response) => {
    await using net = new Net(raw(response));
    expect(await net.text("http://a/")).toBe("ahoy");
  });

  // RFC 9112 6.3: these responses have no body, whatever their fields say.
  test.each([
    ["HEAD", `${OK}Content-Length: 4\r\n\r\n`, "HEAD", ""],
    ["204", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n", "GET", ""],
    ["304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n", "GET", ""],
    ["length 0", `${OK}Content-Length: 0\r\n\r\n`, "GET", ""],
  ])("reads no body after %s", async (_, response, method, text) => {
    await using net = new Net(raw(response, false));
    expect(await net.text("http://a/", { method })).toBe(text);
  });

  // In each response a part is missing or wrong; the message says what is wrong.
  test.each([
    ["", "closed the connection without a response"],
    ["HTTP/1.1 200", "the connection ended within the head"],
    ["SSH-2.0-OpenSSH_10.0\r\n", 'does not speak HTTP/1.1: "SSH-2.0'],
    ["HTTP/2 200 OK\r\n\r\n", "does not speak HTTP/1.1"],
    ["HTTP/1.1 099 x\r\n\r\n", "does not speak HTTP/1.1"],
    [`${OK}no colon\r\n\r\n`, 'invalid field: "no colon"'],
    [`${OK}a b: c\r\n\r\n`, 'invalid field: "a b: c"'],
    [`${OK}a: b\x01\r\n\r\n`, "invalid field"],
    [`${OK} folded: b\r\n\r\n`, "invalid field"],
    [`${OK}Content-Length: 1, 2\r\n\r\n`, 'Content-Length "1, 2" is not a number'],
    [`${OK}Content-Length: -1\r\n\r\n`, "is not a number"],
    // A no-break space is no white space of HTTP.
    [`${OK}Content-Length: \xa01\r\n\r\nx`, "is not a number"],
    [`${OK}Content-Length: 1,\xa01\r\n\r\nx`, "is not a number"],
    [`${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, "both Transfer-Encoding and"],
    [`${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`, 'coding "gzip, chunked" is not known'],
    ["HTTP/1.1 101 Switching\r\n\r\n", "switches protocols without a request for it"],
    [`${OK}X: ${"x".repeat(500)}\r\n\r\n`, "the head of the response is longer than 300 bytes"],
    ["HTTP/1.1 100 C\r\n\r\n".repeat(20), "longer than 300 bytes"],
  ])("rejects for the response %j", async (response, message) => {
    await using net = new Net(raw(response), { resolve: () => "10.0.0.2", maxHeadBytes: 300 });
    const error = await net.errorOf(net.fetch("http://a/x"));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toMatch(/^GET http:\/\/a\/x: /);
    expect(error.message).toMatch(new RegExp(message.replaceAll(/[.\\()]/g, "\\$&")));
    expect(error.cause).toBeInstanceOf(Error);
  });

  // A body that is too short must not look complete.
  test.each([
    [`${OK}Content-Length: 9\r\n\r\nahoy`, "ended within the body"],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n9\r\nahoy`, "ended within the body"],
    [`${OK}Transfer-Encoding: chunked\r\n\r\nx`, "a chunk does not begin with its size"],
  ])("errors the body of %j", async (response, message) => {
    await using net = new Net(raw(response));
    const answered = await net.run(net.fetch("http://a/"));
    const error = await net.errorOf(answered.text());
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(message);
  });

  // A megabyte each way, in chunks of any size.
  test("streams bodies in both directions", async () => {
    await using net = new Net((request) => new Response(request.body));
    const pieces = Array.from({ length: 100 }, (_, i) => new Uint8Array(i * 200).fill(i));
    const body = new Blob(pieces).stream();
    const response = await net.run(
      net.fetch("http://a/", { method: "POST", body, duplex: "half" } as RequestInit),
    );
    const received = new Uint8Array(await net.run(response.arrayBuffer()));
    const sent = new Uint8Array(await new Blob(pieces).arrayBuffer());
    expect(received.length).toBe(sent.length);
    expect(received.every((byte, at) => byte === sent[at])).toBe(true);
  });

  // Neither side holds the whole body in memory.
  test("reads only on request", async () => {
    let sent = 0;
    await using net = new Net(() =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(sent++ && 65_536)),
        }, { highWaterMark: 0 }),
      )
    );
    const response = await net.run(net.fetch("http://a/"));
    const reader = response.body!.getReader();
    for (let i = 0; i < 3; i++) await net.run(reader.read());
    expect(sent).toBeLessThan(100);
    await reader.cancel();
    await net.until(() => net.server.connections().length === 0);
  });

  // The server answers before it has received the whole request.
  test("takes an answer that comes before the end of the request", async () => {
    await using net = new Net(raw(`${OK}Content-Length: 4\r\n\r\nahoy`, false));
    let cancelled: unknown;
    const body = new ReadableStream<Uint8Array>({ cancel: (reason) => void (cancelled = reason) });
    expect(await net.text("http://a/", { method: "POST", body, duplex: "half" } as RequestInit))
      .toBe("ahoy");
    await net.until(() => cancelled !== undefined);
    expect(cancelled).toBeInstanceOf(Error);
  });

  // The application's error is the cause.
  test("rejects if the stream of the request body fails", async () => {
    await using net = new Net(async (request) => new Response(await request.text()));
    const body = new ReadableStream({
      pull: () => {
        throw new RangeError("a mistake");
      },
    });
    const error = await net.errorOf(
      net.fetch("http://a/", { method: "POST", body, duplex: "half" } as RequestInit),
    );
    expect(error).toBeInstanceOf(TypeError);
    expect(error.cause).toMatchObject({ message: "a mistake" });
    expect(net.client.connections()).toEqual([]);
  });

  // The reason of the signal, as with the global fetch.
  test("ends with the signal, before, during and after the head", async () => {
    await using net = new Net(({ url }) =>
      url.endsWith("/wait")
        ? new Promise<Response>(() => {})
        : new Response(new ReadableStream({ start: (c) => c.enqueue(bytes("ahoy")) }))
    );
    const before = net.fetch("http://a/", { signal: AbortSignal.abort("before") });
    expect(await net.errorOf(before)).toBe("before" as never);
    for (const path of ["wait", "stream"]) {
      const controller = new AbortController();
      const response = net.fetch(`http://a/${path}`, { signal: controller.signal });
      const text = response.then((response) => response.text());
      await net.until(() => net.server.connections().length === 1);
      controller.abort("enough");
      expect(await net.errorOf(text)).toBe("enough" as never);
      await net.until(() => net.server.connections().length === 0);
    }
  });

  // A refused connection, an unknown name, another protocol.
  test.each([
    ["http://10.0.0.2:81/", "10.0.0.2:81", "CONNECTION_REFUSED"],
    ["https://a/", "only http: URLs can be fetched through a stack, not https:", undefined],
    ["http://nobody/", "nobody has no address", undefined],
    ["http://failing/", "no such name", undefined],
  ])("rejects for %s", async (url, message, code) => {
    await using net = new Net(() => new Response(""), {
      resolve(hostname) {
        if (hostname === "nobody") return [];
        throw new Error("no such name");
      },
    });
    const error = await net.errorOf(net.fetch(url));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(message);
    expect((error.cause as { code?: string }).code).toBe(code);
  });

  // Without a resolver, the message says which option is missing.
  test("needs resolve for names", async () => {
    await using net = new Net(() => new Response(""), {});
    expect((await net.errorOf(net.fetch("http://name.test/"))).message)
      .toContain("name.test is not an IP address, and createFetch has no option resolve");
    expect(() => createFetch(net.client, { resolve: "10.0.0.1" as never }))
      .toThrow("createFetch: options.resolve: expected a function");
  });

  // The next address of a name is tried if one refuses.
  test("tries the addresses of a name in turn", async () => {
    await using net = new Net(() => new Response("ahoy"), {
      resolve: () => Promise.resolve(["fd00::2", "10.0.0.2"]),
    });
    net.server.use("10.0.0.2:81", http({ fetch: () => new Response("v4") }));
    expect(await net.text("http://name.test:81/")).toBe("v4");
  });
});

describe("createFetch and a hostile server", () => {
  const SEEDS = [
    `${OK}Content-Length: 4\r\nX: y\r\n\r\nahoy`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n4;a=b\r\nahoy\r\n0\r\nT: u\r\n\r\n`,
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n`,
    `HTTP/1.1 200\r\nSet-Cookie: a=b\r\n\r\n`,
  ];

  // Changed, cut and repeated responses: each request gets a response or a TypeError, and no
  // connection stays open.
  test("ends with a response or a TypeError, whatever it sends", async () => {
    const dice = new Dice(15);
    let sent: Uint8Array<ArrayBuffer> = bytes("");
    await using net = new Net({
      async raw({ socket }) {
        for await (const line of readLines(socket)) if (line === "") break;
        for (let at = 0; at < sent.length;) {
          const size = 1 + dice.below(40);
          await socket.write(sent.slice(at, at += size));
        }
      },
    });
    const ends: Record<string, number> = {};
    for (let i = 0; i < 1000; i++) {
      const seed = bytes(SEEDS[dice.below(SEEDS.length)]!);
      for (let changes = dice.below(4); changes > 0; changes--) {
        seed[dice.below(seed.length)] = dice.below(256);
      }
      sent = seed.slice(0, dice.below(8) === 0 ? dice.below(seed.length) : seed.length);
      const end = await net.run(
        net.fetch("http://a/").then((response) => response.text()).then(
          () => "response",
          (error: Error) => error.constructor.name,
        ),
      );
      ends[end] = (ends[end] ?? 0) + 1;
    }
    expect(Object.keys(ends).toSorted()).toEqual(["TypeError", "response"]);
    await net.until(() => net.client.connections().length === 0);
  });
});

describe("redirects of createFetch", () => {
  const app: App = async (request) => {
    const { pathname, search } = new URL(request.url);
    const status = Number(pathname.slice(1));
    if (status > 0) {
      const location = search === "" ? "/end" : decodeURIComponent(search.slice(1));
      return new Response("elsewhere", { status, headers: { location } });
    }
    const { method, headers } = request;
    const names = ["authorization", "content-type", "host"].map((name) => headers.get(name));
    return Response.json([method, await request.text(), ...names]);
  };

  // Fetch standard, HTTP-redirect fetch: which methods become GET.
  test.each([
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "PUT", "GET"],
    [301, "PUT", "PUT"],
    [307, "POST", "POST"],
    [308, "POST", "POST"],
    [303, "HEAD", "HEAD"],
  ])("%i after %s is followed by %s", async (status, method, next) => {
    await using net = new Net(app);
    const body = method === "HEAD" ? null : "ahoy";
    const response = await net.run(net.fetch(`http://a/${status}`, { method, body }));
    expect([response.url, response.redirected]).toEqual(["http://a/end", true]);
    if (method === "HEAD") return;
    const [used, text, , type] = await net.run(response.json()) as string[];
    expect([used, text]).toEqual([next, next === "GET" ? "" : "ahoy"]);
    expect(type).toBe(next === "GET" ? null as never : "text/plain;charset=UTF-8");
  });

  // Credentials are sent only to the server that they were meant for.
  test("to another origin loses the credentials", async () => {
    await using net = new Net(app);
    const headers = { authorization: "Basic eA==" };
    const same = await net.text("http://a/302", { headers });
    expect(JSON.parse(same)[2]).toBe("Basic eA==");
    const other = await net.text("http://a/302?http%3A%2F%2Fb%2F", { headers });
    expect(JSON.parse(other).slice(2)).toEqual([null, null, "b"]);
  });

  // A redirect is refused or returned as init.redirect says, and fails if it cannot be followed.
  test("can be refused, returned or impossible", async () => {
    await using net = new Net(app);
    const error = await net.errorOf(net.fetch("http://a/302", { redirect: "error" }));
    expect(error.message).toContain("the server redirects");
    const manual = await net.run(net.fetch("http://a/302", { redirect: "manual" }));
    expect([manual.status, manual.headers.get("location")]).toEqual([302, "/end"]);
    expect(await net.run(manual.text())).toBe("elsewhere");
    const https = await net.errorOf(net.fetch("http://a/302?https%3A%2F%2Fb%2F"));
    expect(https.message).toContain('the redirect to "https://b/" is not an http: URL');
    const body = new Blob(["ahoy"]).stream();
    const stream = await net.errorOf(
      net.fetch("http://a/307", { method: "POST", body, duplex: "half" } as RequestInit),
    );
    expect(stream.message).toContain("the redirect (307) requires the body to be sent again");
  });

  // Otherwise two servers could keep a client busy for ever.
  test("are followed 20 times", async () => {
    let count = 0;
    await using net = new Net(() => {
      return new Response(null, { status: 302, headers: { location: `/${++count}` } });
    });
    expect((await net.errorOf(net.fetch("http://a/"))).message).toContain("more than 20 redirects");
    expect(count).toBe(21);
    expect(net.client.connections()).toEqual([]);
  });
});
