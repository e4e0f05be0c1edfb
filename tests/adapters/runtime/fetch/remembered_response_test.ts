import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rememberResponseText } from "../../../../adapters/runtime/fetch/mod.ts";
import { takeWholeBody } from "../../../../plugins/shared/http/fetch_platform.ts";
import { contentOf, exchange, statuses } from "../../../plugins/http/support.ts";

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const CLOSE = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/** Restored afterwards: other tests in this process need the original Response. */
const platform = globalThis.Response;

describe("rememberResponseText", () => {
  beforeAll(rememberResponseText);
  afterAll(() => void (globalThis.Response = platform));

  // A program must not be able to observe the difference.
  test("does not change the observable behaviour of a Response", async () => {
    const response = new Response("ahoy", { status: 201, statusText: "Made", headers: { a: "b" } });
    const { status, statusText, headers, bodyUsed } = response;
    expect([status, statusText, headers.get("a"), bodyUsed]).toEqual([201, "Made", "b", false]);
    expect(await response.clone().text()).toBe("ahoy");
    expect(await response.text()).toBe("ahoy");
    expect(response.bodyUsed).toBe(true);
    expect(Response.name).toBe("Response");
    expect(new Response().body).toBe(null);
    expect(() => new Response("ahoy", { status: 7 })).toThrow(RangeError);
  });

  // Responses may be created by the platform, before the replacement or by its own functions, or by a program.
  test("recognizes every Response", () => {
    class Own extends Response {}
    for (
      const one of [new Response(), new platform(), Response.json({}), Response.error(), new Own()]
    ) {
      expect(one instanceof Response).toBe(true);
      expect(one instanceof platform).toBe(true);
    }
    expect(new Own() instanceof Own).toBe(true);
    expect(new Response() instanceof Own).toBe(false);
    expect(Object.create(null) instanceof Response).toBe(false);
  });

  // Through a stream, Bun copies large bodies two more times than necessary.
  test("has bytes sent whole, without a stream", async () => {
    for (const size of [0, 1, 16_384, 16_385, 65_536, 65_537, 1_000_000]) {
      const bytes = new Uint8Array(size).fill(97);
      for (const body of [bytes, bytes.buffer, new DataView(bytes.buffer)]) {
        const received = await exchange(() => new Response(body), GET + CLOSE);
        expect(statuses(received)).toEqual([200, 200]);
        expect(received.split(`content-length: ${size}\r\n`)).toHaveLength(3);
        expect(received.endsWith("a".repeat(size))).toBe(true);
      }
    }
    expect(takeWholeBody(new Response(new Uint8Array(100_000)))).toMatchObject({ length: 100_000 });
  });

  // As with any body locked by another reader, this is a mistake of the application.
  test("answers 500 for bytes that are read elsewhere", async () => {
    const received = await exchange(() => {
      const response = new Response(new Uint8Array(100_000));
      response.body!.getReader();
      return response;
    }, CLOSE);
    expect(statuses(received)).toEqual([500]);
  });

  // On either runtime the text comes with its length and its type.
  test("has text sent whole, with Fetch's Content-Type", async () => {
    for (const text of ["ahoy", "<p>", "é", "", "x".repeat(100_000)]) {
      const received = await exchange(() => new Response(text), GET + CLOSE);
      expect(statuses(received)).toEqual([200, 200]);
      const length = new TextEncoder().encode(text).length;
      expect(received.split(`content-length: ${length}\r\n`)).toHaveLength(3);
      if (text !== "") {
        expect(received.split("content-type: text/plain;charset=UTF-8\r\n")).toHaveLength(3);
      }
    }
    const typed = await exchange(
      () => new Response("{}", { headers: { "content-type": "a/b" } }),
      CLOSE,
    );
    expect(typed).toContain("content-type: a/b\r\n");
    expect(typed).not.toContain("text/plain");
    const head = await exchange(() => new Response("ahoy"), CLOSE.replace("GET", "HEAD"));
    expect(head).toContain("content-length: 4\r\n");
    expect(contentOf(head)).toBe("");
  });

  // A body can be read only once, by any reader.
  test("sends no body that has been read", async () => {
    const read = async () => {
      const response = new Response("ahoy");
      await response.text();
      return response;
    };
    expect(statuses(await exchange(read, CLOSE))).toEqual([500]);
    const same = new Response("ahoy");
    expect(statuses(await exchange(() => same, GET + CLOSE))).toEqual([200, 500]);
    expect(same.bodyUsed).toBe(true);
  });
});
