import { describe, expect, test } from "bun:test";
import { HttpRefusal } from "../../../../plugins/shared/http/refusal.ts";
import type { RequestHead } from "../../../../plugins/shared/http/request_head.ts";
import { hrefOf, isAuthority, requestUrl } from "../../../../plugins/shared/http/request_target.ts";
import { seeded } from "../../http/support.ts";

describe("requestUrl", () => {
  // The four forms of a request target, and the parts that a client may omit.
  for (
    const [method, target, host, url] of [
      ["GET", "/a?b", "x.example", "http://x.example/a?b"],
      ["GET", "//a", "x.example:8080", "http://x.example:8080//a"],
      ["GET", "/", "[fd00::2]:80", "http://[fd00::2]/"],
      ["GET", "/", "", "http://10.0.0.2/"],
      ["GET", "http://y.example/a", "x.example", "http://y.example/a"],
      ["GET", "HTTP://y.example", "x.example", "http://y.example/"],
      ["GET", "http://y.example?q", "x.example", "http://y.example/?q"],
      ["OPTIONS", "*", "x.example", "*"],
      ["OPTIONS", "/", "x.example", "http://x.example/"],
    ] as [method: string, target: string, host: string | undefined, url: string][]
  ) {
    test(`${method} ${target} of host ${JSON.stringify(host)} is ${url} (RFC 9112 3.2)`, () => {
      expect(urlOf(method, target, host)).toBe(url);
    });
  }

  // Neither a path nor an http URL, or a method that Fetch cannot express.
  for (
    const [method, target, status] of [
      ["GET", "*", 400],
      ["GET", "a", 400],
      ["GET", "x.example:443", 400],
      ["GET", "ftp://x.example/", 400],
      ["GET", "http://", 400],
      ["GET", "http:///a", 400],
      ["GET", "http://user@x.example/", 400],
      ["CONNECT", "x.example:443", 501],
      ["CONNECT", "/", 501],
      ["TRACE", "/", 501],
    ] as [method: string, target: string, status: number][]
  ) {
    test(`refuses ${method} ${target} with ${status} (RFC 9112 3.2)`, () => {
      expect(urlOf(method, target, "x.example")).toBe(status);
    });
  }

  // A Host that could smuggle a path or credentials into the URL is invalid.
  test("refuses an invalid Host with 400 (RFC 9112 3.2)", () => {
    for (
      const host of ["a b", "a/b", "a@b", "a?b", "a#b", "a\\b", "a:b", "a:1:2", "[::1", "a,b c"]
    ) {
      expect(urlOf("GET", "/", host)).toBe(400);
    }
  });

  // HTTP/1.0 had no Host.
  test("needs a Host in HTTP/1.1 only (RFC 9112 3.2)", () => {
    expect(urlOf("GET", "/", undefined)).toBe(400);
    expect(urlOf("GET", "/", undefined, false)).toBe("http://10.0.0.2/");
  });
});

describe("isAuthority", () => {
  // reg-name, IPv4, IPv6, each with and without a port.
  test("accepts a uri-host with an optional port (RFC 9110 7.2)", () => {
    const good = ["a", "a.b:80", "1.2.3.4:65535", "[::1]", "[::1]:80", "a:", "a%20b", "a_b"];
    expect(good.filter((text) => !isAuthority(text))).toEqual([]);
    const bad = ["a:123456", "[::1]x", "[zz]", "a%2", "::1"];
    expect(bad.filter(isAuthority)).toEqual([]);
  });
});

describe("hrefOf", () => {
  // It bypasses URL's parser and must give the same results.
  test("equals the href of URL for every host and target", () => {
    const random = seeded(1);
    const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)]!;
    const hosts = [
      "h",
      "h:80",
      "h:8080",
      "H.Example",
      "1.2.3.4",
      "[FD00::0:2]:80",
      "127.1",
      "a%41",
    ];
    const pieces = [
      "/",
      "/",
      ".",
      "..",
      "%2e",
      "a",
      "B9",
      "-",
      "_",
      "~",
      "?",
      "=",
      "&",
      "%",
      "'",
      '"',
    ];
    const more = ["{", "^", "|", ":", ";", "@", "a.b", "..a", ".a"];
    for (let i = 0; i < 20_000; i++) {
      const length = Math.floor(random() * 8);
      const target = "/" + Array.from({ length }, () => pick([...pieces, ...more])).join("");
      const url = `http://${pick(hosts)}${target}`;
      expect(hrefOf(url, target)).toBe(new URL(url).href);
    }
  });

  // A host of valid characters may still be invalid.
  test("throws the error that URL throws", () => {
    for (const host of ["1.2.3.4.5", "999.1.1.1", "h:99999", "a%00"]) {
      expect(() => new URL(`http://${host}/`)).toThrow(TypeError);
      expect(() => hrefOf(`http://${host}/`, "/")).toThrow(TypeError);
    }
  });
});

function urlOf(
  method: string,
  target: string,
  host: string | undefined,
  http11 = true,
): string | number {
  const head = { method, target, http11, fields: [], known: { host } } as unknown as RequestHead;
  const url = requestUrl(head, "10.0.0.2:80", "http");
  return url instanceof HttpRefusal ? url.status : url;
}
