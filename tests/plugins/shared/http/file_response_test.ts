import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fetchPlatform, useFetchPlatform } from "../../../../plugins/shared/http/fetch_platform.ts";
import { withFileLength } from "../../../../plugins/shared/http/file_response.ts";
import { exchange } from "../../http/support.ts";
import { HELLO, serve as serveHttp2 } from "../../http2/support.ts";

/** Responses made of this Blob count as made of a file. */
const FILE = new Blob(["0123456789"]);
const files = new WeakSet<Response>();

function fileResponse(init?: ResponseInit): Response {
  const response = new Response(FILE, init);
  files.add(response);
  return response;
}

async function answer(fields: string[], init?: ResponseInit, method = "GET") {
  const response = withFileLength(fileResponse(init), { method, fields });
  const { status, headers } = response;
  const [length, range] = ["content-length", "content-range"].map((name) => headers.get(name));
  return [status, await response.text(), length, range];
}

describe("a response made of a file", () => {
  const platform = fetchPlatform();
  beforeAll(() =>
    void useFetchPlatform({
      ...platform,
      fileOf: (response) => files.has(response) ? FILE : undefined,
    })
  );
  afterAll(() => void useFetchPlatform(platform));

  const WHOLE = [200, "0123456789", "10", null];

  // A request for one range of bytes gets that part; every other value of Range is ignored.
  test.each([
    ["bytes=0-0", [206, "0", "1", "bytes 0-0/10"]],
    ["bytes=2-4", [206, "234", "3", "bytes 2-4/10"]],
    ["bytes=7-", [206, "789", "3", "bytes 7-9/10"]],
    ["bytes=-2", [206, "89", "2", "bytes 8-9/10"]],
    ["bytes=-99", [206, "0123456789", "10", "bytes 0-9/10"]],
    ["bytes=10-", [416, "", null, "bytes */10"]],
    ["bytes=-0", [416, "", null, "bytes */10"]],
    ["bytes=4-2", WHOLE],
    ["bytes=0-1,3-4", WHOLE],
    ["lines=0-1", WHOLE],
  ])("answers Range: %s (RFC 9110 14.2)", async (range, expected) => {
    expect(await answer(["Range", range])).toEqual(expected);
  });

  // Range is defined only for GET, and only for a file that is not encoded.
  test("ignores Range for other methods, statuses and encoded files (RFC 9110 14.2)", async () => {
    const range = ["range", "bytes=0-1"];
    expect(await answer([])).toEqual(WHOLE);
    expect(await answer(range, {}, "HEAD")).toEqual(WHOLE);
    expect(await answer(range, {}, "POST")).toEqual(WHOLE);
    expect(await answer([...range, ...range])).toEqual(WHOLE);
    expect(await answer(range, { status: 404 })).toEqual([404, "0123456789", "10", null]);
    expect(await answer(range, { headers: { "content-encoding": "br" } })).toEqual(WHOLE);
  });

  // The rest of a file that has changed would not fit what the client has of it.
  test.each([
    ['"a"', 206],
    ['"b"', 200],
    ['W/"a"', 200],
    ["Mon, 30 Nov 2026 10:00:00 GMT", 206],
    ["Mon, 30 Nov 2026 10:00:01 GMT", 200],
  ])("honours If-Range: %s (RFC 9110 13.1.5)", async (ifRange, status) => {
    const headers = { etag: '"a"', "last-modified": "Mon, 30 Nov 2026 10:00:00 GMT" };
    const fields = ["Range", "bytes=0-1", "If-Range", ifRange];
    expect((await answer(fields, { headers }))[0]).toBe(status);
    expect((await answer(fields))[0]).toBe(200);
  });

  // The fields of the whole file are those of its part (RFC 9110 15.3.7).
  test("keeps the application's fields", () => {
    const headers = { etag: '"a"', "content-type": "a/b" };
    const request = { method: "GET", fields: ["range", "bytes=0-1"] };
    expect([...withFileLength(fileResponse({ headers }), request).headers]).toEqual([
      ["accept-ranges", "bytes"],
      ["content-length", "2"],
      ["content-range", "bytes 0-1/10"],
      ["content-type", "a/b"],
      ["etag", '"a"'],
    ]);
  });

  // A response that is not made of a file is returned unchanged.
  test("is the only one that is changed", () => {
    const response = new Response("0123456789");
    const request = { method: "GET", fields: ["range", "bytes=0-1"] };
    expect(withFileLength(response, request)).toBe(response);
    expect(response.headers.get("content-length")).toBe(null);
  });

  // The same through HTTP/1.1 and HTTP/2.
  test("is sent in part over both versions of HTTP", async () => {
    const text = await exchange(
      () => fileResponse(),
      "GET / HTTP/1.1\r\nHost: h\r\nRange: bytes=2-4\r\n\r\n",
    );
    expect(text.replace(/content-type: .*\r\n/, "")).toBe(
      "HTTP/1.1 206 Partial Content\r\naccept-ranges: bytes\r\ncontent-range: bytes 2-4/10\r\n" +
        "date: *\r\ncontent-length: 3\r\n\r\n234",
    );
    const { send, received } = serveHttp2(() => fileResponse());
    await send(...HELLO);
    received();
    await send("HEADERS 1 END_STREAM GET / range=bytes=2-4");
    const frames = received();
    expect(frames[0]).toContain(":status=206");
    expect(frames[0]).toContain("content-length=3");
    expect(frames.at(-1)).toBe('DATA 1 END_STREAM "234"');
  });
});
