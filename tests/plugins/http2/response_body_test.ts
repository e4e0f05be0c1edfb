import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { settle } from "../../support/fake_socket.ts";
import { serve as serveHttp1 } from "../http/support.ts";
import { HELLO, serve } from "./support.ts";

/** A stream that yields one of `chunks` at each pull, and then calls `end`. */
function streamOf(chunks: string[], end: (c: ReadableStreamDefaultController) => unknown) {
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk === undefined) return void end(controller);
      controller.enqueue(new TextEncoder().encode(chunk) as Uint8Array<ArrayBuffer>);
    },
  }, { highWaterMark: 0 });
}

/** The frames that answer `request` on stream 1. */
async function answerTo(
  respond: (request: Request) => Response | Promise<Response>,
  request = "GET /",
): Promise<{ frames: string[]; errors: string[] }> {
  const { send, received, lines } = serve(respond);
  await send(...HELLO);
  received();
  await send(`HEADERS 1 END_STREAM ${request}`);
  await settle();
  const errors = lines.filter(({ level }) => level === "error").map(({ message }) => message);
  return { frames: received(), errors };
}

describe("the body of a response", () => {
  // Half of it has been sent when the stream fails: RST_STREAM, so that it does not look complete.
  test("that fails is reset, not ended (RFC 9113 8.1)", async () => {
    const gate = Promise.withResolvers<void>();
    const body = streamOf(["ahoy"], async (c) => {
      await gate.promise;
      c.error(new Error("lost"));
    });
    const { send, received, lines } = serve(() => new Response(body));
    await send(...HELLO, "HEADERS 1 END_STREAM GET /");
    gate.resolve();
    await settle();
    const frames = received();
    const errors = lines.filter(({ level }) => level === "error").map(({ message }) => message);
    expect(frames.at(-1)).toBe("RST_STREAM 1 INTERNAL_ERROR");
    expect(frames.join()).not.toContain("END_STREAM");
    expect(errors).toEqual(["http2: the application failed"]);
  });

  // Nothing has been sent, so an answer is still possible.
  test("that fails at once is answered by 500", async () => {
    const body = streamOf([], (c) => c.error(new Error("lost")));
    const { frames, errors } = await answerTo(() => new Response(body));
    expect(frames[0]).toMatch(/^HEADERS 1 :status=500/);
    expect(errors).toEqual(["http2: the application failed"]);
  });

  // A Content-Length of 3 and of 5 for a stream of 4 bytes: the client must not get a malformed
  // response.
  test.each([["3"], ["5"]])(
    "that does not match its Content-Length of %s is reset (RFC 9113 8.1.1)",
    async (length) => {
      const gate = Promise.withResolvers<void>();
      const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
        async pull(controller) {
          await gate.promise;
          controller.enqueue(Uint8Array.of(97, 104, 111, 121));
          controller.close();
        },
      }, { highWaterMark: 0 });
      const { send, received } = serve(() =>
        new Response(body, { headers: { "content-length": length } })
      );
      await send(...HELLO, "HEADERS 1 END_STREAM GET /");
      received();
      gate.resolve();
      await settle();
      expect(received()).toEqual(["RST_STREAM 1 INTERNAL_ERROR"]);
    },
  );

  // A complete body has its own length, whatever the application says.
  test("that is complete has its own length (RFC 9110 8.6)", async () => {
    const { frames } = await answerTo(() =>
      new Response("ahoy", { headers: { "content-length": "999" } })
    );
    expect(frames[0]).toContain("content-length=4");
    expect(frames[1]).toBe('DATA 1 END_STREAM "ahoy"');
  });

  // 110 pending streams, each reset by the client: each source is cancelled, and the next request
  // is served.
  test("is cancelled when its stream is reset, and frees the connection", async () => {
    let opened = 0;
    let cancelled = 0;
    const app = new Hono()
      .get("/never", () => {
        opened++;
        return new Response(new ReadableStream({ cancel: () => void cancelled++ }));
      })
      .get("/text", (c) => c.text("ahoy"));
    const { send, received } = serve(app);
    await send(...HELLO);
    for (let id = 1; id <= 219; id += 2) {
      await send(`HEADERS ${id} END_STREAM GET /never`);
      await send(`RST_STREAM ${id} CANCEL`);
    }
    expect([opened, cancelled]).toEqual([110, 110]);
    received();
    await send("HEADERS 221 END_STREAM GET /text");
    expect(received().at(-1)).toBe('DATA 221 END_STREAM "ahoy"');
  });

  // The content types are the same over HTTP/1.1 and HTTP/2; without a type, a browser guesses.
  test.each(
    [
      ["text", () => new Response("<b>ahoy</b>")],
      ["c.text()", () => new Hono().get("/", (c) => c.text("<b>ahoy</b>")).request("/")],
      ["c.html()", () => new Hono().get("/", (c) => c.html("<b>ahoy</b>")).request("/")],
      ["a Blob", () => new Response(new Blob(["<b>"], { type: "text/css" }))],
      ["a Blob without a type", () => new Response(new Blob(["<b>"]))],
      ["URLSearchParams", () => new Response(new URLSearchParams({ a: "b" }))],
      ["bytes", () => new Response(Uint8Array.of(0xff, 0, 1))],
      ["a stream", () => new Response(streamOf(["<b>"], (c) => c.close()))],
    ] as [string, () => Response | Promise<Response>][],
  )("has the Content-Type of HTTP/1.1: %s", async (_what, respond) => {
    const { frames } = await answerTo(respond);
    const { send, received } = serveHttp1(respond);
    await send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await settle();
    const http1 = /^content-type: (.*)\r$/im.exec(received())?.[1];
    const h2 = / content-type=(\S+(?: \S+=\S+)?)/.exec(frames[0]!)?.[1];
    expect(h2?.split(" ")[0]?.toLowerCase()).toBe(http1?.split(" ")[0]?.toLowerCase());
  });

  // Connection-specific fields of HTTP/1.1 are left out, and cookies stay separate.
  test("comes with the fields that HTTP/2 allows (RFC 9113 8.2.2)", async () => {
    const { frames } = await answerTo(() =>
      new Response(null, {
        status: 204,
        headers: [
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
          ["connection", "close"],
          ["keep-alive", "5"],
          ["transfer-encoding", "chunked"],
          ["upgrade", "h3"],
          ["x-one", "1"],
        ],
      })
    );
    const [head] = frames;
    expect(head!.split(" ").slice(2).sort()).toEqual(
      [":status=204", "END_STREAM", "set-cookie=a=1", "set-cookie=b=2", "x-one=1"].sort(),
    );
  });

  // 304, 204 and responses to HEAD end with their heads, whatever body the application gives.
  test.each([[304, "GET /"], [204, "GET /"], [200, "HEAD /"]])(
    "is omitted with %i for %s",
    async (status, request) => {
      let cancelled = false;
      const body = status === 200
        ? new ReadableStream({ cancel: () => void (cancelled = true) })
        : null;
      const { frames } = await answerTo(() => new Response(body, { status }), request);
      expect(frames).toEqual([`HEADERS 1 END_STREAM :status=${status}`]);
      expect(cancelled).toBe(status === 200);
    },
  );

  // 300,000 bytes: windows of 65,535 and 100,000, opened as the client reads. No byte is lost.
  test("continues when the windows open (RFC 9113 6.9)", async () => {
    const { send, received } = serve(() => new Response("x".repeat(300_000)), { counts: true });
    await send(...HELLO, "SETTINGS INITIAL_WINDOW_SIZE=100000", "HEADERS 1 END_STREAM GET /");
    const sum = () => {
      let bytes = 0;
      let hasEnded = false;
      for (const frame of received()) {
        if (!frame.startsWith("DATA")) continue;
        bytes += Number(frame.split(" ").at(-1));
        hasEnded ||= frame.includes("END_STREAM");
      }
      return [bytes, hasEnded];
    };
    expect(sum()).toEqual([65_535, false]);
    await send("WINDOW_UPDATE 0 1000000");
    expect(sum()).toEqual([34_465, false]);
    await send("WINDOW_UPDATE 1 100000");
    expect(sum()).toEqual([100_000, false]);
    await send("WINDOW_UPDATE 1 100000");
    expect(sum()).toEqual([100_000, true]);
  });

  // Two bodies of 150,000 bytes share a window of 65,535: neither takes all of a WINDOW_UPDATE.
  test("shares the connection's window with others (RFC 9113 5.2)", async () => {
    const options = { counts: true, pair: { bufferSize: 1_000_000 } };
    const { send, received } = serve(() => new Response("x".repeat(150_000)), options);
    await send(...HELLO, "SETTINGS INITIAL_WINDOW_SIZE=1000000");
    await send("HEADERS 1 END_STREAM GET /", "HEADERS 3 END_STREAM GET /");
    received();
    await send("WINDOW_UPDATE 0 65536");
    const streams = received().map((frame) => frame.split(" ")[1]);
    expect(streams).toEqual(["1", "3", "1", "3"]);
  });

  // After the last byte the client may disconnect: the application does not notice.
  test("ends an exchange whose signal is not aborted", async () => {
    const signals: AbortSignal[] = [];
    const { send, client, finished } = serve((request) => {
      signals.push(request.signal);
      return new Response("ahoy");
    });
    await send(...HELLO, "HEADERS 1 END_STREAM GET /", "HEADERS 3 POST /");
    await send("RST_STREAM 3 CANCEL", "FIN");
    client.abort();
    await finished.catch(() => {});
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });

  // The client resets the stream, closes the connection, or causes a connection error: the handler
  // notices each.
  test.each([["RST_STREAM 1 CANCEL"], ["FIN"], ["FRAME 6 0 0 00"]])(
    "that the client no longer waits for aborts the request: %s",
    async (frame) => {
      let aborted: unknown;
      const { send } = serve((request) =>
        new Promise(() => {
          request.signal.addEventListener("abort", () => aborted = request.signal.reason.name);
        })
      );
      await send(...HELLO, "HEADERS 1 END_STREAM GET /wait");
      await send(frame);
      expect(aborted).toBe("AbortError");
    },
  );
});
