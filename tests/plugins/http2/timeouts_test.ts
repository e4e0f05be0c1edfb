import { describe, expect, test } from "bun:test";
import { settle } from "../../support/fake_socket.ts";
import { HELLO, serve, WELCOME } from "./support.ts";

const ahoy = () => new Response("ahoy");

describe("times", () => {
  // No request for 60 seconds; PING does not count.
  test("a connection without a request is closed after keepAliveTimeoutMs", async () => {
    const { send, received, clock, client, finished } = serve(ahoy);
    await send(...HELLO, "HEADERS 1 END_STREAM GET /");
    received();
    await clock.advance(40_000);
    await send("PING 0102030405060708");
    await clock.advance(19_000);
    expect(received()).toEqual(["PING ACK 0102030405060708"]);
    await clock.advance(1_001);
    await settle();
    expect(received()).toEqual(["GOAWAY 1 NO_ERROR", "FIN"]);
    await client.closeWrite();
    await finished;
    expect(clock.pending).toBe(0);
  });

  // Each frame begins, but its rest does not arrive, or arrives one byte at a time.
  test.each([
    ["SETTINGS after the preface", ["PREFACE"], "BYTES 00"],
    ["a frame", [...HELLO, "BYTES 000008"], "BYTES 06"],
    ["a header block", [...HELLO, "HEADERS 1 -END_HEADERS GET /"], "CONTINUATION 1 -END_HEADERS"],
  ])("%s that does not come within headerTimeoutMs ends the connection", async (
    _what,
    frames,
    more,
  ) => {
    const { send, received, clock, finished, client } = serve(ahoy);
    await send(...frames);
    received();
    await clock.advance(14_000);
    await send(more);
    await clock.advance(1_001);
    await settle();
    expect(received()).toEqual(["GOAWAY 0 ENHANCE_YOUR_CALM", "FIN"]);
    await client.closeWrite();
    await finished;
    expect(clock.pending).toBe(0);
  });

  // A DATA frame may take any time as long as bytes keep arriving.
  test("slow DATA is subject to the timeout of bodies only", async () => {
    const { send, received, clock } = serve(async (request) => new Response(await request.text()));
    await send(...HELLO, "HEADERS 1 POST /");
    received();
    await send("BYTES 000004000100000001");
    for (const byte of ["61", "68", "6f"]) {
      await clock.advance(29_000);
      await send(`BYTES ${byte}`);
    }
    await clock.advance(29_000);
    expect(received()).toEqual([]);
    await send("BYTES 79");
    expect(received().at(-1)).toBe('DATA 1 END_STREAM "ahoy"');
  });

  // A window of 0 that stays closed: after writeTimeoutMs the stream is reset, its source cancelled.
  test("a window that stays closed ends its stream", async () => {
    let cancelled = false;
    const endless = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(10_000)),
          cancel: () => void (cancelled = true),
        }),
      );
    const { send, received, clock } = serve(endless, { counts: true });
    await send(...HELLO, "SETTINGS INITIAL_WINDOW_SIZE=0", "HEADERS 1 END_STREAM GET /");
    received();
    await clock.advance(29_900);
    expect(received()).toEqual([]);
    await clock.advance(101);
    await settle();
    expect(received()).toEqual(["RST_STREAM 1 CANCEL"]);
    expect(cancelled).toBe(true);
    await send("HEADERS 3 END_STREAM HEAD /");
    expect(received()[0]).toMatch(/^HEADERS 3 END_STREAM :status=200/);
  });

  // An occasional byte does not extend the time: 64 KiB must be sent within it.
  test("a window that opens byte by byte ends its stream too", async () => {
    const { send, received, clock } = serve(() => new Response("x".repeat(100_000)), {
      counts: true,
    });
    await send(...HELLO, "SETTINGS INITIAL_WINDOW_SIZE=0", "HEADERS 1 END_STREAM GET /");
    received();
    for (let i = 0; i < 29; i++) {
      await clock.advance(1000);
      await send("WINDOW_UPDATE 1 1");
    }
    expect(received()).toEqual(new Array(29).fill("DATA 1 1"));
    await clock.advance(1001);
    await settle();
    expect(received()).toEqual(["RST_STREAM 1 CANCEL"]);
  });

  // A client that reads nothing: its socket is full, and after writeTimeoutMs it is reset.
  test("a client that does not read is reset", async () => {
    const { client, send, clock, finished } = serve(() => new Response("x".repeat(1_000_000)), {
      collect: false,
      pair: { bufferSize: 10_000 },
    });
    await send(...HELLO, "SETTINGS INITIAL_WINDOW_SIZE=1000000", "WINDOW_UPDATE 0 10000000");
    await send("HEADERS 1 END_STREAM GET /");
    await clock.advance(30_001);
    await settle();
    await finished.catch(() => {});
    expect(client.state).toBe("CLOSED");
    expect(clock.pending).toBe(0);
  });

  // FIN without GOAWAY, with nothing open: the connection ends at once.
  test("FIN without GOAWAY does not hold the connection", async () => {
    const { send, finished, clock } = serve(ahoy);
    await send(...HELLO, "FIN");
    await finished;
    expect(clock.pending).toBe(0);
  });

  // FIN while a handler runs that ignores the signal: only responses complete within 2 seconds are
  // sent.
  test("FIN while a request is served ends the connection within lingerTimeoutMs", async () => {
    const { send, finished, clock } = serve(() => new Promise(() => {}));
    await send(...HELLO, "HEADERS 1 END_STREAM GET /", "FIN");
    let isOver = false;
    void finished.then(() => isOver = true);
    await clock.advance(1_990);
    expect(isOver).toBe(false);
    await clock.advance(20);
    await finished;
    expect(clock.pending).toBe(0);
  });

  // A response that is complete when the application returns it is still sent (as over HTTP/1.1).
  test("FIN while a request is served does not suppress its answer", async () => {
    const gate = Promise.withResolvers<void>();
    const { send, received, finished } = serve(async () => {
      await gate.promise;
      return new Response("ahoy");
    });
    await send(...HELLO, "HEADERS 1 END_STREAM GET /", "FIN");
    received();
    gate.resolve();
    await finished;
    await settle();
    expect(received().slice(0, 2).join()).toContain('"ahoy"');
  });
});

describe("the end", () => {
  // The stack closes while a request is served: a GOAWAY that still allows requests in flight, then
  // one with the last stream, then the end (RFC 9113 6.8).
  test("is announced in two steps", async () => {
    const gate = Promise.withResolvers<void>();
    const app = async (request: Request) => {
      if (request.url.endsWith("/wait")) await gate.promise;
      return new Response("ahoy");
    };
    const { send, received, stop, client, finished, clock } = serve(app);
    await send(...HELLO, "HEADERS 1 END_STREAM GET /wait");
    received();
    stop();
    await settle();
    expect(received()).toEqual(["GOAWAY 2147483647 NO_ERROR", "PING 73687574646f776e"]);
    await send("HEADERS 3 END_STREAM GET /");
    expect(received().at(-1)).toBe('DATA 3 END_STREAM "ahoy"');
    await send("PING ACK 73687574646f776e");
    expect(received()).toEqual(["GOAWAY 3 NO_ERROR"]);
    await send("HEADERS 5 END_STREAM GET /");
    expect(received()).toEqual([]);
    gate.resolve();
    await settle();
    const last = received();
    expect(last.slice(-2)).toEqual(['DATA 1 END_STREAM "ahoy"', "FIN"]);
    expect(last.join()).not.toContain("HEADERS 5");
    await client.closeWrite();
    await finished;
    expect(clock.pending).toBe(0);
  });

  // The client does not acknowledge: after lingerTimeoutMs the second GOAWAY is sent anyway.
  test("does not wait for the acknowledgement forever", async () => {
    const { send, received, stop, clock } = serve(() => new Promise(() => {}));
    await send(...HELLO, "HEADERS 1 END_STREAM GET /");
    received();
    stop();
    await settle();
    received();
    await clock.advance(2_001);
    expect(received()).toEqual(["GOAWAY 1 NO_ERROR"]);
  });

  // No stream is open.
  test("of an idle connection is one GOAWAY", async () => {
    const { send, received, stop, client, finished } = serve(ahoy);
    await send(...HELLO);
    expect(received()).toEqual(WELCOME);
    stop();
    await settle();
    expect(received()).toEqual(["GOAWAY 0 NO_ERROR", "FIN"]);
    await client.closeWrite();
    await finished;
  });

  // The client does not end its side: after lingerTimeoutMs this side closes.
  test("does not wait for the client forever", async () => {
    const { send, stop, finished, clock } = serve(ahoy);
    await send(...HELLO);
    stop();
    await clock.advance(2_001);
    await finished;
    expect(clock.pending).toBe(0);
  });
});
