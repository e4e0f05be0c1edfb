import { setImmediate } from "node:timers";
import { describe, expect, test } from "bun:test";
import { settle } from "../../support/fake_socket.ts";
import { contentOf, exchange, latin1, reflect, serve, statuses } from "./support.ts";

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const POST_SIZED = (length: number) =>
  `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n`;
const POST_CHUNKED = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

describe("a streamed response", () => {
  // The head is sent before there is content; every piece of content is a chunk.
  test("is chunked, and its head does not wait (RFC 9112 7.1)", async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const { send, received } = serve(() => new Response(readable));
    await send(GET);
    expect(received()).toBe("HTTP/1.1 200 OK\r\ndate: *\r\ntransfer-encoding: chunked\r\n\r\n");
    await writer.write(latin1("hello"));
    await settle();
    expect(received()).toBe("5\r\nhello\r\n");
    await writer.write(latin1(""));
    await writer.write(latin1("0123456789abcdef"));
    await settle();
    expect(received()).toBe("10\r\n0123456789abcdef\r\n");
    await writer.close();
    await settle();
    expect(received()).toBe("0\r\n\r\n");
  });

  // A response known to be complete needs no further write.
  test("that is complete at once is one write with a length", async () => {
    const body = () =>
      new ReadableStream({
        start(controller) {
          for (const part of ["a", "bc", "def"]) controller.enqueue(latin1(part));
          controller.close();
        },
      });
    const text = await exchange(() => new Response(body()), GET);
    expect(text).toContain("content-length: 6\r\n");
    expect(contentOf(text)).toBe("abcdef");
  });

  // HTTP/1.0 does not support chunked: the end of the connection ends the content.
  test("ends with the connection for HTTP/1.0 (RFC 9112 6.3)", async () => {
    const text = await exchange(
      () => new Response(slowly("one ", "two")),
      "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    );
    expect(text).not.toContain("transfer-encoding");
    expect(text).toContain("connection: close\r\n\r\none two");
  });

  // The application may know the length of what it streams.
  test("with Content-Length is not chunked (RFC 9112 6.2)", async () => {
    const app = () => new Response(slowly("one ", "two"), { headers: { "content-length": "7" } });
    expect(await exchange(app, GET)).toContain("content-length: 7\r\n\r\none two");
  });

  // With a wrong length the client would take the next response for content, or wait.
  for (const length of [5, 9]) {
    test(`of 7 bytes with a Content-Length of ${length} is aborted (RFC 9112 6.3)`, async () => {
      const headers = { "content-length": String(length) };
      const { send, received, server, lines, finished } = serve(() =>
        new Response(slowly("one ", "two"), { headers })
      );
      await send(GET);
      await finished;
      expect(server.ending).toBe("abort");
      expect(received().endsWith("<reset>")).toBe(true);
      expect(lines.filter(({ level }) => level === "error").length).toBe(1);
    });
  }

  // A partial response must not look complete: there is a reset instead of a last chunk.
  test("that fails midway is aborted (RFC 9112 8)", async () => {
    const { send, received, server, lines } = serve(() =>
      new Response(slowly("one ", new Error("x")))
    );
    await send(GET);
    await settle();
    expect(server.ending).toBe("abort");
    expect(received()).toContain("4\r\none \r\n<reset>");
    expect(lines.filter(({ level }) => level === "error").length).toBe(1);
  });

  // The client does not read: no more is pulled from the source than the buffers hold.
  test("is pulled only as fast as the client reads", async () => {
    let produced = 0;
    let cancelled = false;
    const body = new ReadableStream({
      async pull(controller) {
        await settle();
        produced += 10_000;
        controller.enqueue(new Uint8Array(10_000));
      },
      cancel: () => void (cancelled = true),
    }, { highWaterMark: 0 });
    const { client, finished } = serve(() => new Response(body), {
      collect: false,
      pair: { bufferSize: 30_000 },
    });
    await client.write(latin1(GET));
    for (let i = 0; i < 20; i++) await settle();
    const stalled = produced;
    expect(stalled).toBeLessThanOrEqual(60_000);
    for (let i = 0; i < 5; i++) await settle();
    expect(produced).toBe(stalled);

    // It continues when the client reads, and ends when the client disconnects.
    await client.read(new Uint8Array(30_000));
    for (let i = 0; i < 5; i++) await settle();
    expect(produced).toBeGreaterThan(stalled);
    client.abort();
    await finished;
    await settle();
    expect(cancelled).toBe(true);
  });

  // Server-sent events: the source is cancelled even while neither side writes.
  test("that is pending is cancelled when the client disconnects", async () => {
    let reason: unknown;
    const body = new ReadableStream({ cancel: (given) => void (reason = given) });
    const { send, client, finished } = serve(() => new Response(body));
    await send(GET);
    client.abort();
    await finished;
    await settle();
    expect(reason).toMatchObject({ name: "AbortError" });
  });
});

describe("a request body", () => {
  // Small and complete, or large and in pieces: the application does not see a difference.
  for (const length of [0, 1, 1000, 5000, 300_000]) {
    test(`of ${length} bytes arrives whole, sized and chunked`, async () => {
      const content = "x".repeat(length);
      const app = async (request: Request) => {
        const text = await request.text();
        return new Response(String(text === content && text.length));
      };
      expect(contentOf(await exchange(app, POST_SIZED(length) + content))).toBe(String(length));
      const chunks = content.match(/.{1,4000}/g) ?? [];
      const chunked = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join(
        "",
      );
      expect(contentOf(await exchange(app, `${POST_CHUNKED}${chunked}0\r\nX-Trailer: t\r\n\r\n`)))
        .toBe(String(length));
    });
  }

  // json(), arrayBuffer(), blob(), formData() and streams are Fetch's own.
  test("can be read in all ways of Fetch", async () => {
    const json = '{"a": [1, 2]}';
    const app = async (request: Request) => {
      const copy = request.clone();
      const size = (await copy.arrayBuffer()).byteLength;
      return Response.json([size, await request.json()]);
    };
    for (const pair of [{}, { readSize: 7 }]) {
      expect(contentOf(await exchange(app, POST_SIZED(json.length) + json, { pair })))
        .toBe('[13,{"a":[1,2]}]');
    }
  });

  // The directions are independent: an echo responds while it still receives.
  test("can be streamed back while it arrives", async () => {
    const { send, received } = serve((request) => new Response(request.body));
    await send(POST_CHUNKED);
    expect(received()).toContain("transfer-encoding: chunked\r\n\r\n");
    await send("3\r\nabc\r\n");
    expect(received()).toBe("3\r\nabc\r\n");
    await send("2\r\nde\r\n0\r\n\r\n");
    expect(received()).toBe("2\r\nde\r\n0\r\n\r\n");
    await send(GET);
    expect(statuses(received())).toEqual([200]);
  });

  // Nothing is read before the application reads, and then no more than requested.
  test("is read only as fast as the application does", async () => {
    let body: ReadableStreamDefaultReader<Uint8Array> | undefined;
    const { client, server } = serve((request) => {
      body = request.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
      return new Promise(() => {});
    });
    await client.write(latin1(POST_SIZED(10_000_000)));
    void client.write(new Uint8Array(10_000_000)).catch(() => {});
    await settle();
    expect(server.bytesRead).toBeLessThanOrEqual(4096);
    let total = 0;
    while (total < 1_000_000) total += (await body!.read()).value!.length;
    await settle();
    expect(server.bytesRead).toBeLessThanOrEqual(total + 200_000);
    client.abort();
  });

  // The application responds without reading: the rest is discarded, and the connection stays
  // usable.
  for (
    const request of [
      POST_SIZED(100_000) + "x".repeat(100_000),
      `${POST_CHUNKED}${"5\r\nhello\r\n".repeat(2000)}0\r\n\r\n`,
    ]
  ) {
    test(`that is not read is discarded (${request.length} bytes)`, async () => {
      const { send, received } = serve(() => new Response("no"));
      await send(request + GET);
      await settle();
      expect(statuses(received())).toEqual([200, 200]);
    });
  }

  // The rest is discarded only up to a limit, because discarding more costs more than a new connection.
  test("that is long and not read ends the connection", async () => {
    const { send, received, server } = serve(() => new Response("no"), {
      maxDrainBytes: 1000,
    });
    await send(POST_SIZED(100_000) + "x".repeat(50));
    expect(received()).toContain("connection: close\r\n\r\nno");
    expect(server.ended).toBe(true);
    await expect(send("x".repeat(99_950) + GET)).rejects.toThrow("reset the connection");
    expect(received()).toBe("");
    expect(server.ending).toBe("close");
  });

  // The length of a chunked body is not known in advance.
  test("that turns out long and is not read ends the connection", async () => {
    const { send, received, server } = serve(() => new Response("no"), { maxDrainBytes: 1000 });
    await send(`${POST_CHUNKED}${"5\r\nhello\r\n".repeat(5000)}`);
    expect(statuses(received())).toEqual([200]);
    await settle();
    expect(server.ended).toBe(true);
  });

  // Fetch does not support GET with content, HTTP does. It is discarded.
  test("of a GET is discarded (RFC 9110 9.3.1)", async () => {
    const request =
      "GET /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
    for (const readSize of [Infinity, 1]) {
      const text = await exchange(reflect, request, { pair: { readSize } });
      expect(text.split(/(?=HTTP\/1\.1)/).map(contentOf)).toEqual(["GET /1 ", "GET /2 "]);
    }
  });

  // An application that keeps reading after its response gets an error, not the next request.
  test("cannot be read after the response", async () => {
    let late: Promise<string> | undefined;
    const { send, received } = serve((request) => {
      late = settle().then(() => request.text()).catch((error) => String(error));
      return new Response("answered");
    });
    await send(POST_SIZED(5));
    expect(statuses(received())).toEqual([200]);
    await send("12345");
    expect(await late).toMatch(/Error/);
    await send(GET);
    expect(statuses(received())).toEqual([200]);
  });

  // The client closes within the body or violates the framing: the application gets an error and
  // the client the reason, whether or not the application catches it.
  for (
    const [what, rest, status] of [
      ["that ends early", "3\r\nabc\r\n", 400],
      ["with a wrong chunk", "3\r\nabcd\r\n", 400],
      ["with an endless extension", `3;${"x".repeat(5000)}\r\nabc\r\n0\r\n\r\n`, 400],
      ["with endless trailers", `0\r\n${"X: y\r\n".repeat(2000)}\r\n`, 431],
      ["above its bound", `ffff\r\n${"x".repeat(65_535)}\r\n0\r\n\r\n`, 413],
    ] as [what: string, rest: string, status: number][]
  ) {
    for (const caught of [false, true]) {
      test(`${what} is refused with ${status}, ${caught ? "caught" : "not caught"}`, async () => {
        let error: unknown;
        const app = async (request: Request) => {
          const text = request.text().catch((reason) => {
            error = reason;
            if (!caught) throw reason;
            return "caught";
          });
          return new Response(await text);
        };
        const text = await exchange(app, `${POST_CHUNKED}${rest}`, { maxBodyBytes: 10_000 });
        expect(statuses(text)).toEqual([status]);
        expect(text).toContain("connection: close\r\n");
        expect(error).toBeInstanceOf(Error);
      });
    }
  }

  // A disconnect within the body is not logged as an error.
  test("of a client that disconnects is an error only for the application", async () => {
    let error: unknown;
    const { send, client, finished, lines } = serve(async (request) => {
      try {
        return new Response(await request.text());
      } catch (reason) {
        error = reason;
        throw reason;
      }
    });
    await send(`${POST_SIZED(100)}abc`);
    client.abort();
    await finished;
    expect(error).toBeInstanceOf(Error);
    expect(lines.filter(({ level }) => level !== "debug")).toEqual([]);
  });
});

describe("100 (Continue)", () => {
  const EXPECT = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
  const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

  // The client asks whether to send the body; reading it gives the answer.
  test("is sent when the application first reads (RFC 9110 10.1.1)", async () => {
    const start = Promise.withResolvers<void>();
    const { send, received } = serve(async (request) => {
      await start.promise;
      return new Response(await request.text());
    });
    await send(EXPECT);
    expect(received()).toBe("");
    start.resolve();
    await settle();
    expect(received()).toBe(CONTINUE);
    await send("he");
    await send("llo");
    expect(contentOf(received())).toBe("hello");
    await send(GET);
    expect(statuses(received())).toEqual([200]);
  });

  // The client did not wait for 100 (Continue).
  test("is not sent if the body is already arriving (RFC 9110 10.1.1)", async () => {
    const { send, received } = serve(reflect);
    await send(`${EXPECT}he`);
    expect(received()).toBe("");
    await send("llo");
    expect(statuses(received())).toEqual([200]);
  });

  // The body was not read, and the client may or may not send it, so the connection closes.
  test("is not sent when the application answers at once (RFC 9110 10.1.1)", async () => {
    const { send, received, server } = serve(() => new Response("no", { status: 403 }));
    await send(EXPECT);
    const text = received();
    expect(statuses(text)).toEqual([403]);
    expect(text).toContain("connection: close\r\n");
    expect(server.ended).toBe(true);
    await send(`hello${GET}`);
    expect(received()).toBe("");
  });

  // The response has already started.
  test("is not sent after the response has begun", async () => {
    const { send, received } = serve((request) => new Response(request.body));
    await send(EXPECT);
    expect(received()).not.toContain(CONTINUE);
  });

  // HTTP/1.0 has no expectations, and 100-continue is the only one that is defined.
  test("is the only expectation, and of HTTP/1.1 only (RFC 9110 10.1.1)", async () => {
    const { send, received } = serve(reflect);
    await send("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    expect(received()).toBe("");
    expect(statuses(await exchange(reflect, GET.replace("\r\n\r\n", "\r\nExpect: more\r\n\r\n"))))
      .toEqual([417]);
  });
});

/** A stream that yields each part in a later turn of the event loop; an Error makes it fail. */
function slowly(...parts: (string | Error)[]): ReadableStream<Uint8Array> {
  const rest = [...parts];
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => void setImmediate(resolve));
      const part = rest.shift();
      if (part === undefined) controller.close();
      else if (typeof part === "string") controller.enqueue(latin1(part));
      else controller.error(part);
    },
  });
}
