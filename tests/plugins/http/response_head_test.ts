import { describe, expect, test } from "bun:test";
import { contentOf, exchange, statuses } from "./support.ts";

const CLOSE = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/** A Response with an unchecked `statusText`, which Bun allows and Deno mostly refuses. */
function statusText(text: string): Response {
  return Object.defineProperty(new Response("hello"), "statusText", { value: text });
}

describe("the reason phrase", () => {
  // Valid text is sent unchanged.
  test.each(["Fine", "A\tB C", "caf\u00e9"])("%j is sent (RFC 9112 4)", async (text) => {
    const answer = await exchange(() => statusText(text), CLOSE);
    expect(answer.split("\r\n")[0]).toBe(`HTTP/1.1 200 ${text}`);
  });

  // Truncated to bytes these would be CR LF and a field; they are omitted.
  test.each(["OK\u010d\u010aX-Injected: 1", "\u4e0d"])("%j is omitted", async (text) => {
    const answer = await exchange(() => statusText(text), CLOSE);
    expect(answer.split("\r\n")[0]).toBe("HTTP/1.1 200 OK");
  });

  // Control characters are an error of the application, as they are in a header field.
  test.each(["OK\r\nX-Injected: 1", "a\nb", "a\rb", "a\0b", "a\u007fb"])(
    "%j is a 500",
    async (text) => {
      const answer = await exchange(() => statusText(text), CLOSE);
      expect(statuses(answer)).toEqual([500]);
      expect(answer).not.toContain("Injected");
    },
  );
});

describe("Connection", () => {
  // A forwarding recipient has to remove the field.
  test("has the option Upgrade if there is an Upgrade field (RFC 9110 7.8)", async () => {
    const app = () => new Response("no", { status: 426, headers: { upgrade: "websocket" } });
    const text = await exchange(app, CLOSE.replace("Connection: close\r\n", ""));
    expect(text).toContain("\r\nupgrade: websocket\r\n");
    expect(text).toContain("\r\nconnection: Upgrade\r\n");
    expect(await exchange(app, CLOSE)).toContain("\r\nconnection: close, Upgrade\r\n");
    expect(contentOf(await exchange(app, CLOSE))).toBe("no");
  });
});
