import { describe, expect, test } from "bun:test";
import { HttpRefusal } from "../../../plugins/shared/http/refusal.ts";
import { RequestHeadParser } from "../../../plugins/http/request_head.ts";
import type { RequestHead } from "../../../plugins/shared/http/request_head.ts";
import { latin1, seeded } from "./support.ts";

const LIMITS = { maxRequestLineBytes: 100, maxHeaderBytes: 300, maxHeaders: 10 };

describe("RequestHeadParser", () => {
  // A request with everything in it: names keep their case, values are trimmed.
  test("parses method, target, version and fields (RFC 9112 3, 5)", () => {
    const head = parse(
      "GET /a?b=c HTTP/1.1\r\nHost: x.example\r\nX-Empty:\r\nx-y: \t1 2 \t\r\n\r\n",
    );
    expect(head).toEqual({
      method: "GET",
      target: "/a?b=c",
      http11: true,
      fields: ["Host", "x.example", "X-Empty", "", "x-y", "1 2"],
      known: {
        host: "x.example",
        connection: undefined,
        contentLength: undefined,
        transferEncoding: undefined,
        expect: undefined,
      },
    });
  });

  // Field names are case-insensitive, and several lines form one list.
  test("finds the framing fields in any case (RFC 9110 5.1, 5.3)", () => {
    const { known } = parse(
      "PUT / HTTP/1.1\r\nHOST: h\r\nCONNECTION: a\r\nconnection: b\r\n" +
        "content-LENGTH: 5\r\nTransfer-Encoding: chunked\r\nexpect: 100-continue\r\n\r\n",
    ) as RequestHead;
    expect(known).toEqual({
      host: "h",
      connection: "a, b",
      contentLength: "5",
      transferEncoding: "chunked",
      expect: "100-continue",
    });
  });

  // Bytes above 127 are opaque data: each becomes the character with the same code.
  test("reads obs-text as ISO 8859-1 (RFC 9110 5.5)", () => {
    const head = parse("GET / HTTP/1.1\r\nHost: h\r\nX: caf\xe9 \x80\xff\r\n\r\n") as RequestHead;
    expect(head.fields[3]).toBe("caf\xe9 \x80\xff");
  });

  // A client may send empty lines after a body: up to four are skipped.
  test("skips empty lines before the request line, up to a bound (RFC 9112 2.2)", () => {
    const request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (const count of [1, 2, 3, 4]) {
      const { method, fields } = parse("\r\n".repeat(count) + request) as RequestHead;
      expect([method, ...fields]).toEqual(["GET", "Host", "h"]);
    }
    expect(statusOf("\r\n".repeat(5) + request)).toBe(400);
  });

  // HTTP/1.2 would be a later HTTP/1, to be treated as 1.1; 2.0 is another protocol.
  test("distinguishes versions (RFC 9110 2.5)", () => {
    expect((parse("GET / HTTP/1.0\r\n\r\n") as RequestHead).http11).toBe(false);
    expect((parse("GET / HTTP/1.2\r\n\r\n") as RequestHead).http11).toBe(true);
    expect(statusOf("GET / HTTP/2.0\r\n\r\n")).toBe(505);
    expect(statusOf("GET / HTTP/0.9\r\n\r\n")).toBe(505);
  });

  // Bytes after the head belong to the body or the next request.
  test("stops after the empty line", () => {
    const parser = new RequestHeadParser(LIMITS);
    const bytes = latin1("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    expect((parser.parse(bytes, 0, bytes.length) as RequestHead).target).toBe("/1");
    const next = parser.consumed;
    expect((parser.parse(bytes, next, bytes.length) as RequestHead).target).toBe("/2");
  });
});

describe("RequestHeadParser refuses with 400", () => {
  const malformed: [what: string, head: string][] = [
    ["bare LF line ends", "GET / HTTP/1.1\nHost: h\n\n"],
    ["a bare LF in a field", "GET / HTTP/1.1\r\nX: a\nY: b\r\n\r\n"],
    ["a bare CR in a field", "GET / HTTP/1.1\r\nX: a\rY: b\r\n\r\n"],
    ["a bare CR in the request line", "GET /\r HTTP/1.1\r\n\r\n"],
    ["CR CR LF", "GET / HTTP/1.1\r\nX: a\r\r\n\r\n"],
    ["a folded line", "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n"],
    ["a folded first line", "GET / HTTP/1.1\r\n X: a\r\n\r\n"],
    ["whitespace before the colon", "GET / HTTP/1.1\r\nX : a\r\n\r\n"],
    ["a tab before the colon", "GET / HTTP/1.1\r\nX\t: a\r\n\r\n"],
    ["a field without a colon", "GET / HTTP/1.1\r\nX\r\n\r\n"],
    ["a field without a name", "GET / HTTP/1.1\r\n: a\r\n\r\n"],
    ["a field name with a bracket", "GET / HTTP/1.1\r\nX(: a\r\n\r\n"],
    ["NUL in a value", "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n"],
    ["another control character in a value", "GET / HTTP/1.1\r\nX: a\x1fb\r\n\r\n"],
    ["DEL in a value", "GET / HTTP/1.1\r\nX: a\x7fb\r\n\r\n"],
    ["NUL in a name", "GET / HTTP/1.1\r\nX\0: a\r\n\r\n"],
    ["a method with a bracket", "GE(T / HTTP/1.1\r\n\r\n"],
    ["no method", " / HTTP/1.1\r\n\r\n"],
    ["two spaces before the target", "GET  / HTTP/1.1\r\n\r\n"],
    ["two spaces before the version", "GET /  HTTP/1.1\r\n\r\n"],
    ["a space after the version", "GET / HTTP/1.1 \r\n\r\n"],
    ["a tab instead of a space", "GET\t/ HTTP/1.1\r\n\r\n"],
    ["a space in the target", "GET /a b HTTP/1.1\r\n\r\n"],
    ["a control character in the target", "GET /a\x01 HTTP/1.1\r\n\r\n"],
    ["a byte above 127 in the target", "GET /\xe9 HTTP/1.1\r\n\r\n"],
    ["a fragment in the target", "GET /a#b HTTP/1.1\r\n\r\n"],
    ["a backslash in the target", "GET /\\evil HTTP/1.1\r\n\r\n"],
    ["no version", "GET /\r\n\r\n"],
    ["a lower-case version", "GET / http/1.1\r\n\r\n"],
    ["a version of two digits", "GET / HTTP/1.11\r\n\r\n"],
    ["a version without a dot", "GET / HTTP/11\r\n\r\n"],
    ["two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"],
    ["two Content-Lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"],
    ["equal Content-Lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"],
    [
      "two Transfer-Encodings",
      "POST / HTTP/1.1\r\nTransfer-Encoding: a\r\ntransfer-encoding: chunked\r\n\r\n",
    ],
  ];

  for (const [what, head] of malformed) {
    test(`${what} (RFC 9112 2.2, 3, 5)`, () => {
      expect(statusOf(head)).toBe(400);
      for (let split = 1; split < head.length; split++) expect(statusOf(head, split)).toBe(400);
    });
  }

  // TLS on a plain port, or a port scanner: the first byte is enough.
  test("a first byte that cannot start a request", () => {
    expect(statusOf("\x16\x03\x01")).toBe(400);
  });
});

describe("RequestHeadParser enforces its limits", () => {
  // A line at the limit is accepted, a longer one refused before its end.
  test("of the request line with 414 (RFC 9110 15.5.15)", () => {
    const fits = `GET /${"a".repeat(100 - 14)} HTTP/1.1`;
    expect(fits.length).toBe(100);
    expect((parse(`${fits}\r\n\r\n`) as RequestHead).method).toBe("GET");
    expect(statusOf(`G${fits}\r\n\r\n`)).toBe(414);
    expect(statusOf("a".repeat(102))).toBe(414);
  });

  // All fields count together, including line ends.
  test("of the header section with 431 (RFC 6585 5)", () => {
    expect(statusOf(`GET / HTTP/1.1\r\nX: ${"a".repeat(250)}\r\n\r\n`)).toBe(0);
    expect(statusOf(`GET / HTTP/1.1\r\nX: ${"a".repeat(300)}\r\n\r\n`)).toBe(431);
    expect(statusOf(`GET / HTTP/1.1\r\nX: ${"a".repeat(300)}`)).toBe(431);
  });

  // Many short lines cost as much as few long ones.
  test("of the number of fields with 431", () => {
    expect(statusOf(`GET / HTTP/1.1\r\n${"X: a\r\n".repeat(10)}\r\n`)).toBe(0);
    expect(statusOf(`GET / HTTP/1.1\r\n${"X: a\r\n".repeat(11)}`)).toBe(431);
  });
});

describe("RequestHeadParser is incremental", () => {
  // The result does not depend on segment boundaries.
  test("at every split point", () => {
    const text = "\r\nPOST /x?y HTTP/1.1\r\nHost: h:80\r\nContent-Length: 3\r\nX: \xe9\r\n\r\nabc";
    const whole = parse(text);
    for (let split = 1; split < text.length; split++) expect(parse(text, split)).toEqual(whole);
  });

  // 3000 requests, half of them corrupted, split at random: the result does not depend on the
  // splits, and nothing throws.
  test("for random valid and corrupted requests, split at random", () => {
    const random = seeded(7);
    const below = (n: number) => Math.floor(random() * n);
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      const fields = Array.from(
        { length: below(12) },
        (_, i) => `X-${i}:${" ".repeat(below(3))}${"v".repeat(below(30))}\r\n`,
      ).join("");
      let text = `GET /${"p".repeat(below(110))} HTTP/1.1\r\n${fields}\r\n`;
      if (random() < 0.5) {
        const at = below(text.length);
        text = text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + below(2));
      }
      const whole = parse(text);
      const cuts = Array.from({ length: below(4) }, () => below(text.length)).sort((a, b) => a - b);
      const cut = parse(text, ...cuts);
      if (whole instanceof HttpRefusal) {
        refused++;
        expect(cut instanceof HttpRefusal).toBe(true);
      } else {
        expect(cut).toEqual(whole);
      }
    }
    expect(refused).toBeGreaterThan(500);
  });
});

/** Feeds `text` up to each of `cuts`, then the rest; returns the first result. */
function parse(text: string, ...cuts: number[]): RequestHead | HttpRefusal | undefined {
  const parser = new RequestHeadParser(LIMITS);
  const bytes = latin1(`junk${text}`);
  for (const end of [...cuts, text.length]) {
    const head = parser.parse(bytes, 4, 4 + end);
    if (head) return head;
  }
  return undefined;
}

/** The status of the refusal, or 0. */
function statusOf(text: string, ...cuts: number[]): number {
  const head = parse(text, ...cuts);
  return head instanceof HttpRefusal ? head.status : 0;
}
