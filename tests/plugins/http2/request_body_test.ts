import { describe, expect, test } from "bun:test";
import { settle } from "../../support/fake_socket.ts";
import { HELLO, serve } from "./support.ts";

describe("the body of a request", () => {
  // 65,536 frames of one byte: their bytes are buffered in a few pieces until the body is read.
  test("in many small frames is kept in few pieces", async () => {
    const gate = Promise.withResolvers<void>();
    const chunks: number[] = [];
    const { send, received } = serve(async (request) => {
      await gate.promise;
      for await (const chunk of request.body!) chunks.push(chunk.length);
      return new Response("done");
    });
    await send(...HELLO, "HEADERS 1 POST /");
    for (let i = 0; i < 32; i++) await send(...new Array(1024).fill('DATA 1 "x"'));
    await send("DATA 1 END_STREAM");
    gate.resolve();
    await settle();
    expect(chunks.reduce((sum, each) => sum + each, 0)).toBe(32_768);
    expect(chunks.length).toBeLessThan(4);
    expect(received().at(-1)).toBe('DATA 1 END_STREAM "done"');
  });

  // The window is opened again when half of it has been read, and not before.
  test("opens the windows as it is read (RFC 9113 6.9)", async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { send, received } = serve(async (request) => {
      const reader = request.body!.getReader();
      for (const gate of gates) {
        await gate.promise;
        await reader.read();
      }
      return await new Promise(() => {});
    }, { pair: { bufferSize: 1_000_000 } });
    await send(...HELLO, "HEADERS 1 POST /");
    received();
    await send(...new Array(16).fill("DATA 1 zeros=16384"));
    expect(received()).toEqual([]);
    gates[0]!.resolve();
    await settle();
    expect(received()).toEqual(["WINDOW_UPDATE 1 262144"]);
    await send(...new Array(16).fill("DATA 1 zeros=16384"));
    gates[1]!.resolve();
    await settle();
    expect(received()).toEqual(["WINDOW_UPDATE 0 524288", "WINDOW_UPDATE 1 262144"]);
  });

  // The handler answers without reading; received data still opens the connection's window.
  test("that is not read does not use up the connection's window", async () => {
    const { send, received } = serve(() => new Response("ahoy"), { counts: true });
    await send(...HELLO);
    let opened = 0;
    for (let id = 1; id < 200; id += 2) {
      await send(`HEADERS ${id} POST /`, `DATA ${id} zeros=16384`);
      for (const frame of received()) {
        if (frame.startsWith("WINDOW_UPDATE 0")) opened += Number(frame.split(" ")[2]);
      }
    }
    expect(opened).toBeGreaterThan(1_000_000);
  });

  // 5 bytes, announced or sent: 413, before the application has read all of it.
  test.each([
    ["announced", ["HEADERS 1 POST / content-length=5"]],
    ["sent", ["HEADERS 1 POST /", 'DATA 1 "abc"', 'DATA 1 END_STREAM "de"']],
  ])("above maxBodyBytes is refused: %s", async (_how, frames) => {
    const app = async (request: Request) => new Response(await request.text());
    const { send, received, lines } = serve(app, { maxBodyBytes: 4 });
    await send(...HELLO);
    received();
    await send(...frames);
    expect(received()[0]).toMatch(/^HEADERS 1 :status=413/);
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  // 30 seconds between two pieces are too long: the client gets 408, and the application an error.
  test("that does not arrive in time is answered with 408", async () => {
    let seen: unknown;
    const app = async (request: Request) => {
      try {
        return new Response(await request.text());
      } catch (error) {
        seen = (error as Error).name;
        throw error;
      }
    };
    const { send, received, clock, lines } = serve(app);
    await send(...HELLO, "HEADERS 1 POST /", 'DATA 1 "a"');
    received();
    await clock.advance(29_000);
    await send('DATA 1 "b"');
    await clock.advance(29_000);
    expect(received()).toEqual([]);
    await clock.advance(1_001);
    await settle();
    expect(seen).toBe("RequestBodyError");
    expect(received()[0]).toMatch(/^HEADERS 1 :status=408/);
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
    // The connection serves further requests.
    await send("HEADERS 3 END_STREAM POST /");
    expect(received().join()).toContain("HEADERS 3 END_STREAM :status=200");
  });

  // The client resets the stream while the application reads.
  test("that is cut short is an error of the client", async () => {
    let seen: unknown;
    const { send, lines } = serve(async (request) => {
      await request.text().catch((error) => seen = (error as Error).name);
      return new Response("nobody waits");
    });
    await send(...HELLO, "HEADERS 1 POST /", 'DATA 1 "a"', "RST_STREAM 1 CANCEL");
    expect(seen).toBe("RequestBodyError");
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  // Into an array of the reader's own, 3 bytes at a time.
  test("is a byte stream", async () => {
    const { send, received } = serve(async (request) => {
      const reader = request.body!.getReader({ mode: "byob" });
      const parts: string[] = [];
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(3));
        if (done) return new Response(parts.join("|"));
        parts.push(new TextDecoder().decode(value));
      }
    });
    await send(...HELLO, "HEADERS 1 POST /", 'DATA 1 "ahoy"', "DATA 1 END_STREAM");
    expect(received().at(-1)).toBe('DATA 1 END_STREAM "aho|y"');
  });

  // GET with content, which a Request of Fetch cannot have: it is discarded.
  test("of a GET is discarded", async () => {
    const { send, received } = serve((request) => new Response(`${request.body}`));
    await send(...HELLO, "HEADERS 1 GET /", "DATA 1 zeros=1000", "DATA 1 END_STREAM");
    expect(received().join()).toContain('"null"');
  });
});
