import { describe, expect, test } from "bun:test";
import { http } from "../../../plugins/http.ts";
import { exchange, reflect, serve, statuses } from "./support.ts";

describe("http", () => {
  // Invalid options are reported when the service starts, all at once.
  test("names each invalid option", () => {
    const app = { fetch: () => new Response() };
    const bad = { maxHeaders: 0, headerTimeoutMs: "1" } as unknown as { maxHeaders: number };
    expect(() => http(app, bad)).toThrow(
      /^http: .*maxHeaders: .*headerTimeoutMs: /,
    );
    expect(() => http(app, { maxHeader: 1 } as object)).toThrow(/maxHeader/);
    expect(() => http({} as never)).toThrow(/fetch/);
    expect(http(app).name).toBe("http");
  });
});

describe("a request above a limit", () => {
  // Each refusal has its status, and ends the connection.
  for (
    const [what, request, status] of [
      ["request line", `GET /${"a".repeat(100)} HTTP/1.1\r\nHost: h\r\n\r\n`, 414],
      ["header section", `GET / HTTP/1.1\r\nHost: h\r\nX: ${"a".repeat(200)}\r\n\r\n`, 431],
      ["number of fields", `GET / HTTP/1.1\r\nHost: h\r\n${"X: a\r\n".repeat(5)}\r\n`, 431],
      ["sized body", `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n01234567890`, 413],
      [
        "chunked body",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
        "6\r\n012345\r\n5\r\n67890\r\n0\r\n\r\n",
        413,
      ],
    ] as [what: string, request: string, status: number][]
  ) {
    test(`of the ${what} is refused with ${status} and ends the connection`, async () => {
      let asked = 0;
      const app = async (request: Request) => {
        await request.text();
        asked++;
        return new Response();
      };
      const { send, received, server, client, finished } = serve(app, {
        maxRequestLineBytes: 50,
        maxHeaderBytes: 100,
        maxHeaders: 5,
        maxBodyBytes: 10,
      });
      await send(`${request}GET / HTTP/1.1\r\nHost: h\r\n\r\n`);
      const text = received();
      expect(statuses(text)).toEqual([status]);
      expect(text).toContain("connection: close\r\n");
      expect(asked).toBe(0);
      // The FIN is sent, and later data is discarded until the client closes.
      expect(server.ended).toBe(true);
      expect(server.ending).toBe(undefined);
      await client.closeWrite();
      await finished;
    });
  }

  // The refusal is sent as soon as the limit is exceeded.
  test("is refused before it is complete", async () => {
    const { send, received } = serve(reflect, { maxRequestLineBytes: 50 });
    await send("A".repeat(53));
    expect(statuses(received())).toEqual([414]);
  });

  // Exactly at every limit.
  test("is served at the limit", async () => {
    const request = `POST /${
      "a".repeat(50 - 15)
    } HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789`;
    const text = await exchange(reflect, request, {
      maxRequestLineBytes: 50,
      maxHeaderBytes: 33,
      maxHeaders: 2,
      maxBodyBytes: 10,
    });
    expect(statuses(text)).toEqual([200]);
  });

  // A client that keeps sending is cut off.
  test("is discarded only up to a limit", async () => {
    const { send, received, server } = serve(reflect, {
      maxRequestLineBytes: 50,
      maxDrainBytes: 10_000,
    });
    // Data sent after the server has closed draws RST.
    await send(`GET /${"a".repeat(100_000)}`).catch(({ code }) =>
      expect(code).toBe("CONNECTION_RESET")
    );
    expect(statuses(received())).toEqual([414]);
    expect(server.bytesRead).toBeLessThan(30_000);
    expect(server.ending).toBe("close");
  });

  // Default limits, so that a change is noticed.
  test("has these defaults", async () => {
    const line = (length: number) => `GET /${"a".repeat(length - 14)} HTTP/1.1\r\nHost: h\r\n\r\n`;
    expect(statuses(await exchange(reflect, line(8192)))).toEqual([200]);
    expect(statuses(await exchange(reflect, line(8193)))).toEqual([414]);
    const header = (length: number) =>
      `GET / HTTP/1.1\r\nHost: h\r\nX: ${"a".repeat(length)}\r\n\r\n`;
    expect(statuses(await exchange(reflect, header(32_000)))).toEqual([200]);
    expect(statuses(await exchange(reflect, header(32_768)))).toEqual([431]);
    const fields = (count: number) =>
      `GET / HTTP/1.1\r\n${"Host: h\r\n"}${"X: a\r\n".repeat(count - 1)}\r\n`;
    expect(statuses(await exchange(reflect, fields(100)))).toEqual([200]);
    expect(statuses(await exchange(reflect, fields(101)))).toEqual([431]);
  });
});
