import { describe, expect, test } from "bun:test";
import type { FetchApp } from "../../../../plugins/http.ts";
import { RepeatedHead } from "../../../../plugins/shared/http/repeated_head.ts";
import { latin1, serve, statuses } from "../../http/support.ts";

describe("RepeatedHead", () => {
  // A connection with one request keeps nothing; after that the last head is recognized by all of
  // its bytes.
  test("finds the last head of a persistent connection", () => {
    const last = new RepeatedHead<string>();
    const bytes = latin1("--abc--abd--ab");
    last.keep(bytes, 2, 5, "abc");
    expect(last.find(bytes, 2, 5)).toBeUndefined();
    last.keep(bytes, 2, 5, "abc");
    expect(last.find(bytes, 2, 5)).toBe("abc");
    expect(last.find(latin1("abc"), 0, 3)).toBe("abc");
    expect(last.find(bytes, 7, 10)).toBeUndefined();
    expect(last.find(bytes, 12, 14)).toBeUndefined();
    bytes.fill(0);
    expect(last.find(latin1("abc"), 0, 3)).toBe("abc");
  });

  // Bounds the memory that an idle connection keeps.
  test("keeps no more than 1024 bytes", () => {
    const last = new RepeatedHead<string>();
    const bytes = new Uint8Array(2000);
    for (let i = 0; i < 3; i++) last.keep(bytes, 0, 1025, "long");
    expect(last.find(bytes, 0, 1025)).toBeUndefined();
    last.keep(bytes, 0, 1024, "short");
    expect(last.find(bytes, 0, 1024)).toBe("short");
  });
});

const GET = "GET /a HTTP/1.1\r\nHost: h\r\nX-One: 1\r\n\r\n";
const POST = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n";

/** Reports the request it got, then modifies it, which the next request must not see. */
const app: FetchApp = {
  async fetch(request) {
    const { method, url, headers } = request;
    const text = `${method} ${url} ${headers.get("x-one")} ${await request.text()};`;
    headers.set("x-one", "spoilt");
    return new Response(text);
  },
};

describe("requests whose heads are the same", () => {
  // Each is a separate Request: a change that an application makes to one is not seen in the next.
  test("are served alike, whole or in pieces", async () => {
    const { send, received } = serve(app);
    for (let i = 0; i < 4; i++) {
      await send(GET);
      expect(received()).toContain("GET http://h/a 1 ;");
    }
    // In two pieces; the next whole head is recognized again.
    await send(GET.slice(0, 20));
    await send(GET.slice(20));
    expect(received()).toContain("GET http://h/a 1 ;");
    await send(GET + GET);
    expect(received().split("GET http://h/a 1 ;")).toHaveLength(3);
    await send(GET.replace("1\r\n\r\n", "2\r\n\r\n"));
    expect(received()).toContain("GET http://h/a 2 ;");
  });

  // Each request gets the body that follows its head.
  test("have bodies of their own", async () => {
    const { send, received } = serve(app);
    for (const body of ["abc", "def", "ghi", "jkl"]) {
      await send(POST);
      expect(received()).toBe("");
      await send(body);
      const text = received();
      expect(statuses(text)).toEqual([200]);
      expect(text).toContain(`POST http://h/a null ${body};`);
    }
  });
});
