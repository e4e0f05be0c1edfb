import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import type { HttpEnv } from "../../../plugins/http.ts";
import { HELLO, serve } from "./support.ts";

/** What an application sees of a request. */
async function seen<T>(look: (request: Request) => T | Promise<T>, frame: string): Promise<T> {
  let result: T | undefined;
  const { send } = serve(async (request) => {
    result = await look(request);
    return new Response();
  });
  await send(...HELLO, frame);
  return result!;
}

describe("a request", () => {
  // The pieces of one Cookie field are joined by "; ", those of others by ", " (RFC 9113 8.2.3).
  test("has all cookies in one field", async () => {
    const frame = "HEADERS 1 END_STREAM GET / cookie=a=1 cookie=b=2 accept=x accept=y";
    expect(await seen(({ headers }) => [headers.get("cookie"), headers.get("accept")], frame))
      .toEqual(["a=1; b=2", "x, y"]);
  });

  // :authority is Host to the application, and in the URL; pseudo-header fields are not in its
  // headers.
  test("has the fields of HTTP/1.1 (RFC 9113 8.3.1)", async () => {
    const frame = "HEADERS 1 END_STREAM GET /a?b=c x-one=1";
    const result = await seen(
      ({ url, method, headers }) => [method, url, ...[...headers].map((each) => each.join("="))],
      frame,
    );
    expect(result).toEqual(["GET", "http://berth.test/a?b=c", "host=berth.test", "x-one=1"]);
  });

  // Bytes above 127 in a value are Latin-1, as over HTTP/1.1.
  test("has values in Latin-1 (RFC 9110 5.5)", async () => {
    const frame = "HEADERS 1 END_STREAM GET / x-one=caf\xe9";
    expect(await seen(({ headers }) => headers.get("x-one"), frame)).toBe("caf\xe9");
  });

  // The second argument of fetch is that of http.
  test("has the addresses of its connection", async () => {
    const app = new Hono<{ Bindings: HttpEnv }>()
      .get("/", (c) => c.text(`${c.env.remoteAddr.hostname} ${c.env.requestIP().family}`));
    const { send, received } = serve(app);
    await send(...HELLO, "HEADERS 1 END_STREAM GET /");
    expect(received().at(-1)).toBe('DATA 1 END_STREAM "10.0.0.1 IPv4"');
  });

  // Methods that Fetch knows are passed on as sent, others where the runtime allows it.
  test.each(["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])("has its method: %s", async (method) => {
    expect(await seen((request) => request.method, `HEADERS 1 END_STREAM ${method} /`)).toBe(
      method,
    );
  });
});
