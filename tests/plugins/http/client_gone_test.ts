import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { linkPair } from "../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../core/api/stack.ts";
import { http } from "../../../plugins/http.ts";
import { settle } from "../../support/fake_socket.ts";
import { contentOf, latin1, serve, type Served, statuses } from "./support.ts";

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n";

/** How clients disconnect: with FIN or RST. */
const WAYS: Record<string, (served: Served) => Promise<void> | void> = {
  FIN: ({ client }) => client.closeWrite(),
  RST: ({ client }) => client.abort(),
};

/** An app that waits for the abort of its request, and reports what it saw. */
function waiting(seen: unknown[]) {
  return (request: Request) =>
    new Promise<Response>((resolve) => {
      request.signal.addEventListener("abort", () => {
        seen.push((request.signal.reason as Error).name);
        resolve(new Response("too late"));
      });
    });
}

describe("a client that disconnects", () => {
  for (const [way, go] of Object.entries(WAYS)) {
    // Neither side writes: the handler's signal is aborted, and the connection ends.
    test(`by ${way} aborts the pending request (RFC 9112 9.5)`, async () => {
      const seen: unknown[] = [];
      const served = serve(waiting(seen));
      await served.send(GET);
      await go(served);
      await served.finished;
      expect(seen).toEqual(["AbortError"]);
      expect(served.lines.filter(({ level }) => level === "error")).toEqual([]);
    });

    // Pipelined requests precede the FIN.
    test(`by ${way} after pipelined requests aborts each (RFC 9112 9.3.2)`, async () => {
      const seen: unknown[] = [];
      const served = serve(waiting(seen));
      await served.send(GET + GET + GET);
      await go(served);
      await served.finished;
      expect(seen).toEqual(way === "FIN" ? Array(3).fill("AbortError") : ["AbortError"]);
    });

    // The first of two pipelined requests is answered; the client disconnects while the second one waits.
    test(`by ${way} during a later pipelined request aborts it (RFC 9112 9.3.2)`, async () => {
      const seen: unknown[] = [];
      const wait = waiting(seen);
      const first = Promise.withResolvers<Response>();
      let requests = 0;
      const served = serve((request) => requests++ === 0 ? first.promise : wait(request));
      await served.send(GET + GET);
      first.resolve(new Response("ahoy"));
      await settle();
      expect(requests).toBe(2);
      await go(served);
      await served.finished;
      expect(seen).toEqual(["AbortError"]);
    });

    // Server-sent events without an event for hours.
    test(`by ${way} cancels the pending response body`, async () => {
      const reasons: unknown[] = [];
      let controller: ReadableStreamDefaultController | undefined;
      const body = new ReadableStream({
        start: (given) => void (controller = given),
        cancel: (reason) => void reasons.push((reason as Error).name),
      });
      const served = serve(() => new Response(body));
      await served.send(GET);
      controller!.enqueue(latin1("event"));
      await settle();
      await go(served);
      await served.finished;
      await settle();
      expect(reasons).toEqual(["AbortError"]);
      expect(served.lines.filter(({ level }) => level === "error")).toEqual([]);
    });

    // The received part of the body has been read, or none of it.
    test.each(["first", "none"])(
      `by ${way} within a body of which %s is read aborts the request`,
      async (which) => {
        const seen: unknown[] = [];
        const served = serve(async (request) => {
          request.signal.addEventListener("abort", () => seen.push("abort"));
          if (which === "first") await request.body!.getReader().read();
          return await waiting(seen)(request);
        });
        await served.send(`${POST}12345`);
        await go(served);
        for (let second = 0; second < 3; second++) {
          served.clock.advance(1000);
          await settle();
        }
        expect(seen).toEqual(["abort", "AbortError"]);
        await served.finished;
      },
    );
  }

  // The first 16 KiB of pipelined requests are read to find the FIN; beyond that the connection is
  // polled.
  test("after many pipelined requests is detected within a second", async () => {
    const seen: unknown[] = [];
    const { send, client, server, clock } = serve(waiting(seen));
    await send(GET.repeat(1000));
    await client.closeWrite();
    Object.defineProperty(server, "state", { value: "CLOSE-WAIT" });
    clock.advance(1000);
    await settle();
    expect(seen[0]).toBe("AbortError");
  });

  // A handler that rejects because of the abort, as `fetch(upstream, { signal })` does: no 500, no
  // log line.
  test("is not an error of a handler that rejects because of it", async () => {
    const { send, client, lines, finished, received } = serve((request) =>
      new Promise((_, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason));
      })
    );
    await send(GET);
    await client.closeWrite();
    await finished;
    expect(received()).toBe("");
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  // A response body requested after the FIN is not started.
  test("does not get a response body that is not available yet", async () => {
    let cancelled = false;
    const { send, client, finished, received } = serve(async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return new Response(new ReadableStream({ cancel: () => void (cancelled = true) }));
    });
    await send(GET);
    await client.closeWrite();
    await finished;
    expect(cancelled).toBe(true);
    expect(received()).toBe("");
  });
});

describe("a client that half-closes", () => {
  // Responses that are complete at once are sent for all requests before the FIN.
  test("gets responses that are available at once", async () => {
    const app = new Hono().get("/", (c) => c.text("ahoy")).get("/a", async (c) => {
      await Promise.resolve();
      return c.text("async");
    });
    const { client, finished, received } = serve(app);
    await client.write(latin1(GET + GET.replace("/", "/a") + GET));
    await client.closeWrite();
    await finished;
    await settle();
    const text = received();
    expect(statuses(text)).toEqual([200, 200, 200]);
    expect(contentOf(text)).toContain("async");
  });

  // The response is late but complete.
  test("gets a late response that is complete when returned", async () => {
    const { client, finished, received } = serve(async () => {
      await settle();
      return new Response("late");
    });
    await client.write(latin1(GET));
    await client.closeWrite();
    await finished;
    await settle();
    expect(contentOf(received())).toBe("late");
  });
});

describe("the signal of a request", () => {
  const copies: Record<string, (request: Request) => Request> = {
    "the request": (request) => request,
    "new Request(request)": (request) => new Request(request),
    "new Request(url, request)": (request) => new Request(request.url, request),
    "clone()": (request) => request.clone(),
    "a clone's clone()": (request) => request.clone().clone(),
    "a subclass": (request) => new (class extends Request {})(request),
  };
  for (const [name, copy] of Object.entries(copies)) {
    for (const request of [GET, `${POST}1234567890`, `${POST}12345`]) {
      // Every copy that an application passes on follows the signal, with or without a body.
      test(`is followed by that of ${name} (${request.length} bytes)`, async () => {
        let seen: Request | undefined;
        const { send, client } = serve((request) => {
          seen = copy(request);
          return new Promise(() => {});
        });
        await send(request);
        expect(seen!.signal.aborted).toBe(false);
        client.abort();
        await settle();
        expect(seen!.signal.aborted).toBe(true);
        expect(seen!.signal.reason).toBeInstanceOf(DOMException);
        expect((seen!.signal.reason as DOMException).name).toBe("AbortError");
      });
    }
  }

  // The client disconnects after the whole response.
  test("is not aborted when the response has been sent", async () => {
    const signals: AbortSignal[] = [];
    const { send, client, finished } = serve(async ({ signal }) => {
      signals.push(signal);
      await settle();
      return new Response("ahoy");
    });
    await send(GET);
    await settle();
    await send(GET);
    await settle();
    await client.closeWrite();
    await finished;
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  });
});

// Two stacks and a link: the client's close() as TCP sees it, then its RST.
test("http detects a client's close() on a stack", async () => {
  const clock = new VirtualClock();
  const [here, there] = linkPair();
  const server = createStack({ link: here, addresses: ["10.0.0.1/24"], clock });
  const client = createStack({ link: there, addresses: ["10.0.0.2/24"], clock });
  const aborted = Promise.withResolvers<string>();
  server.use(
    80,
    http({
      fetch: ({ signal }) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            aborted.resolve((signal.reason as Error).name);
            resolve(new Response("x"));
          });
        }),
    }),
  );
  const socket = client.connect("10.0.0.1:80");
  await clock.runUntil(socket.opened);
  await socket.write(latin1(GET));
  const before = clock.now();
  void socket.close().catch(() => {});
  expect(await clock.runUntil(aborted.promise)).toBe("AbortError");
  expect(clock.now() - before).toBeLessThan(1000);
  await clock.runUntil(Promise.all([server.close(), client.close()]));
});
