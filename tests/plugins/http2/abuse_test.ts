import { describe, expect, test } from "bun:test";
import { HELLO, serve, type ServeOptions } from "./support.ts";

/**
 * Sends one round of frames after another until the connection ends; returns the number of rounds
 * and what was logged.
 */
async function attack(
  round: (i: number) => string[],
  rounds: number,
  options: ServeOptions = {},
  begin: string[] = [],
): Promise<{ survived: number; frames: string[]; abuse: unknown; served: number }> {
  let served = 0;
  const app = (request: Request) => {
    served++;
    const { pathname } = new URL(request.url);
    if (pathname === "/") return new Response("ahoy");
    return new Promise<Response>((resolve) => {
      if (pathname === "/forever") return;
      request.signal.addEventListener("abort", () => resolve(new Response()));
    });
  };
  const { send, received, lines, client } = serve(app, {
    pair: { bufferSize: 1_000_000 },
    counts: true,
    ...options,
  });
  await send(...HELLO, ...begin);
  received();
  let survived = 0;
  let frames: string[] = [];
  while (survived < rounds) {
    await send(...round(survived));
    frames = [...frames, ...received()];
    if (frames.some((frame) => frame === "FIN" || frame === "RST")) break;
    survived++;
  }
  client.abort();
  const line = lines.find(({ message }) => message === "http2: connection ended for abuse");
  return { survived, frames, abuse: line?.fields?.["abuse"], served };
}

const id = (i: number) => 2 * i + 1;
const CALM = /^GOAWAY \d+ ENHANCE_YOUR_CALM/;

describe("a client that abuses the protocol", () => {
  // HEADERS immediately followed by RST_STREAM, repeatedly: a burst of 500 is allowed, then 50 a
  // second.
  test("by rapid reset is cut off (CVE-2023-44487)", async () => {
    const { survived, frames, abuse } = await attack(
      (i) => [`HEADERS ${id(i)} END_STREAM GET /wait`, `RST_STREAM ${id(i)} CANCEL`],
      2000,
    );
    expect(survived).toBe(500);
    expect(frames.at(-2)).toMatch(CALM);
    expect(abuse).toBe("rapid reset");
  });

  // The application never has more requests at once than the limit.
  test("by rapid reset does not reach the application beyond maxConcurrentStreams", async () => {
    const { served } = await attack(
      (i) => [`HEADERS ${id(i)} END_STREAM GET /forever`, `RST_STREAM ${id(i)} CANCEL`],
      2000,
      { maxConcurrentStreams: 10 },
    );
    expect(served).toBe(10);
  });

  // Frames that make the server reset the stream: an increment of 0, DATA after END_STREAM,
  // malformed requests.
  test.each([
    ["an increment of 0", (i: number) => [
      `HEADERS ${id(i)} POST /wait`,
      `WINDOW_UPDATE ${id(i)} 0`,
    ]],
    ["a window overflow", (i: number) => [
      `HEADERS ${id(i)} POST /wait`,
      `WINDOW_UPDATE ${id(i)} 2147483647`,
    ]],
    ["DATA after END_STREAM", (i: number) => [
      `HEADERS ${id(i)} END_STREAM POST /wait`,
      `DATA ${id(i)} "x"`,
    ]],
    ["a body that is too long", (i: number) => [
      `HEADERS ${id(i)} POST /wait content-length=1`,
      `DATA ${id(i)} "ahoy"`,
    ]],
    ["a malformed request", (i: number) => [`HEADERS ${id(i)} END_STREAM GET / Bad=1`]],
    ["PRIORITY of another length", (i: number) => [
      `HEADERS ${id(i)} POST /wait`,
      `FRAME 2 0 ${id(i)} 00`,
    ]],
  ] as [string, (i: number) => string[]][])(
    "by making it reset streams is cut off: %s (CVE-2025-8671)",
    async (_what, round) => {
      const { survived, frames, abuse } = await attack(round, 1000);
      expect(frames.at(-2)).toMatch(CALM);
      expect(abuse).toBe("made you reset");
      expect(survived).toBe(100);
    },
  );

  // Frames that cost an answer or are useless: allowed are 200 PING, 100 SETTINGS, 100 empty DATA,
  // and 1000 others.
  test.each([
    ["PING", "ping flood", "PING 0102030405060708", [], 200],
    ["SETTINGS", "settings flood", "SETTINGS", [], 99],
    ["empty DATA", "empty data flood", "DATA 1", ["HEADERS 1 POST /wait"], 100],
    ["DATA of padding", "empty data flood", "DATA 1 PADDED=9", ["HEADERS 1 POST /wait"], 100],
    ["PRIORITY", "ignored frames", "PRIORITY 1", [], 1000],
    ["frames of unknown types", "ignored frames", "FRAME 200 0 0 00", [], 1000],
    ["RST_STREAM on a closed stream", "ignored frames", "RST_STREAM 1 CANCEL", [
      "HEADERS 1 END_STREAM GET /",
    ], 1000],
    ["GOAWAY", "ignored frames", "GOAWAY 0 NO_ERROR", ["HEADERS 1 POST /wait"], 1001],
    ["WINDOW_UPDATE", "window update flood", "WINDOW_UPDATE 0 1", [], 100],
  ] as [string, string, string, string[], number][])(
    "by a flood of %s is cut off",
    async (_what, name, frame, begin, allowed) => {
      const { survived, frames, abuse } = await attack(() => [frame], 2000, {}, begin);
      expect(survived).toBe(allowed);
      expect(frames.at(-2)).toMatch(CALM);
      expect(abuse).toBe(name);
    },
  );

  // A header block without END_HEADERS: at most 32 frames, or twice the maximum size of a header
  // list.
  test.each([
    ["empty frames", "CONTINUATION 1 -END_HEADERS", 32],
    ["full frames", "CONTINUATION 1 -END_HEADERS zeros=16384", 4],
  ])("by CONTINUATION without end is cut off: %s", async (_what, frame, allowed) => {
    const { survived, frames, abuse } = await attack(() => [frame], 2000, {}, [
      "HEADERS 1 END_STREAM -END_HEADERS GET",
    ]);
    expect(survived).toBe(allowed);
    expect(frames.at(-2)).toMatch(CALM);
    expect(abuse).toBe("continuation flood");
  });

  // Streams above the limit: each is refused, and after 1000 the client is cut off.
  test("by opening streams that are refused is cut off", async () => {
    const { survived, abuse } = await attack(
      (i) => [`HEADERS ${id(i + 1)} END_STREAM GET /`],
      2000,
      { maxConcurrentStreams: 1 },
      ["HEADERS 1 POST /wait"],
    );
    expect(survived).toBe(1000);
    expect(abuse).toBe("refused streams");
  });

  // A field of 3,900 bytes is added to the table; then header blocks of 12 or more bytes refer to
  // it 9 times.
  test("by heads that grow is cut off (HPACK bomb)", async () => {
    const large = `8286844101614001617fbd1d${"76".repeat(3900)}`;
    const { survived, abuse } = await attack((i) => {
      const block = i === 0 ? large : `828684bf${"be".repeat(9 + i % 5)}`;
      return [`HEADERS ${id(i)} END_STREAM block=${block}`];
    }, 2000);
    expect(survived).toBe(101);
    expect(abuse).toBe("oversized heads");
  });

  // 100 responses wait for windows that stay closed, and 30 seconds later 100 more.
  test("by windows that stay closed is cut off", async () => {
    const { send, clock, lines } = serve(() => new Response("ahoy"));
    await send(...HELLO, "SETTINGS INITIAL_WINDOW_SIZE=0");
    for (const first of [0, 100]) {
      await send(
        ...Array.from({ length: 100 }, (_, i) => `HEADERS ${id(first + i)} END_STREAM GET /`),
      );
      await clock.advance(30_001);
    }
    const line = lines.find(({ message }) => message === "http2: connection ended for abuse");
    expect(line?.fields?.["abuse"]).toBe("closed windows");
  });

  // A user who scrolls causes ten resets a second; a proxy may send PING every second.
  test("does not include moderate numbers of RST_STREAM, PING and WINDOW_UPDATE", async () => {
    const { send, received, clock } = serve(() => new Promise(() => {}), {
      maxConcurrentStreams: 10_000,
    });
    await send(...HELLO);
    for (let second = 0; second < 120; second++) {
      await clock.advance(1000);
      const frames = Array.from({ length: 10 }, (_, i) => {
        const stream = id(10 * second + i);
        return [`HEADERS ${stream} END_STREAM GET /`, `RST_STREAM ${stream} CANCEL`];
      }).flat();
      await send(...frames, "PING 0102030405060708", "WINDOW_UPDATE 0 1000");
    }
    expect(received().filter((frame) => frame.startsWith("GOAWAY"))).toEqual([]);
  });
});

describe("a header list above a limit", () => {
  // One field of 4,000 bytes in the table, referred to 20 times by one byte each: 80,000 bytes of
  // fields.
  test("that refers to a large field again and again is refused (HPACK bomb)", async () => {
    const { send, received } = serve(() => new Response("ahoy"));
    await send(...HELLO);
    received();
    const value = "76".repeat(3900);
    const large = `82868441016140 0161 7fbd1d${value}`.replaceAll(" ", "");
    await send(`HEADERS 1 END_STREAM block=${large}${"be".repeat(20)}`);
    expect(received()[0]).toMatch(/^HEADERS 1 :status=431/);
    // The dynamic tables of both ends still agree: the next request uses the entry.
    await send("HEADERS 3 END_STREAM block=828684410161bf");
    expect(received()[0]).toMatch(/^HEADERS 3 :status=200/);
  });

  // The limits apply from the first frame, before the client has received or acknowledged them.
  test.each([
    ["maxHeaderBytes", { maxHeaderBytes: 1024 }, `GET / x-one=${"v".repeat(1000)}`, 431],
    ["maxHeaders", { maxHeaders: 3 }, "GET / a=1 b=2 c=3 d=4", 431],
    ["maxRequestLineBytes", { maxRequestLineBytes: 20 }, `GET /${"v".repeat(20)}`, 414],
  ] as [string, ServeOptions, string, number][])(
    "of %s is refused",
    async (_bound, options, request, status) => {
      const { send, received } = serve(() => new Response("ahoy"), options);
      await send("PREFACE", "SETTINGS", `HEADERS 1 END_STREAM ${request}`);
      expect(received()[3]).toMatch(new RegExp(`^HEADERS 1 :status=${status}`));
    },
  );

  // Trailers are ignored; too many of them reset their stream.
  test("of maxTrailerBytes is reset", async () => {
    const app = async (request: Request) => new Response(await request.text());
    const { send, received } = serve(app, { maxTrailerBytes: 100 });
    await send(...HELLO, "HEADERS 1 POST /");
    received();
    await send(`HEADERS 1 END_STREAM x-sum=${"v".repeat(100)}`);
    expect(received()).toEqual(["RST_STREAM 1 PROTOCOL_ERROR"]);
  });
});
