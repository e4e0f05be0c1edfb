import { describe, expect, test } from "bun:test";
import { bodyFraming } from "../../../plugins/http/body_framing.ts";
import { HttpRefusal } from "../../../plugins/shared/http/refusal.ts";
import { RequestHeadParser } from "../../../plugins/http/request_head.ts";
import type { RequestHead } from "../../../plugins/shared/http/request_head.ts";
import { latin1 } from "./support.ts";

describe("bodyFraming", () => {
  // Valid framing fields, and the resulting framing.
  for (
    const [fields, framing] of [
      ["", 0],
      ["Content-Length: 0\r\n", 0],
      ["Content-Length: 17\r\n", 17],
      ["Content-Length: 007\r\n", 7],
      ["Content-Length: 999999999999999\r\n", 999999999999999],
      ["Transfer-Encoding: chunked\r\n", "chunked"],
      ["Transfer-Encoding: CHUNKED\r\n", "chunked"],
    ] as [fields: string, framing: number | "chunked"][]
  ) {
    test(`${JSON.stringify(fields)} gives ${JSON.stringify(framing)} (RFC 9112 6.3)`, () => {
      expect(framingOf(`POST / HTTP/1.1\r\n${fields}\r\n`)).toBe(framing);
    });
  }

  // Fields that another server might interpret differently.
  for (
    const [fields, status] of [
      ["Content-Length: -1\r\n", 400],
      ["Content-Length: +1\r\n", 400],
      ["Content-Length: 1.0\r\n", 400],
      ["Content-Length: 0x10\r\n", 400],
      ["Content-Length: 1e3\r\n", 400],
      ["Content-Length: 1 2\r\n", 400],
      ["Content-Length: 5, 5\r\n", 400],
      ["Content-Length: 5, 6\r\n", 400],
      ["Content-Length:\r\n", 400],
      ["Content-Length: \xb2\r\n", 400],
      ["Content-Length: 9999999999999999\r\n", 400],
      ["Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400],
      ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400],
      ["Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", 400],
      ["Transfer-Encoding: identity\r\n", 400],
      ["Transfer-Encoding: xchunked\r\n", 400],
      ["Transfer-Encoding: chunked, gzip\r\n", 400],
      ["Transfer-Encoding: chunked, chunked\r\n", 400],
      ["Transfer-Encoding: chunked, identity\r\n", 400],
      ["Transfer-Encoding: chunked;q=1\r\n", 400],
      ['Transfer-Encoding: "chunked"\r\n', 400],
      ["Transfer-Encoding: chunked,\r\n", 400],
      ["Transfer-Encoding: , chunked\r\n", 400],
      ["Transfer-Encoding: chun ked\r\n", 400],
      ["Transfer-Encoding:\r\n", 400],
      ["Transfer-Encoding: gzip, chunked\r\n", 501],
      ["Transfer-Encoding: identity, chunked\r\n", 501],
    ] as [fields: string, status: number][]
  ) {
    test(`refuses ${JSON.stringify(fields)} with ${status} (RFC 9112 6.1, 6.3)`, () => {
      expect(framingOf(`POST / HTTP/1.1\r\n${fields}\r\n`)).toBe(status);
    });
  }

  // An HTTP/1.0 recipient that does not support chunked may have forwarded it.
  test("refuses Transfer-Encoding in HTTP/1.0 with 400 (RFC 9112 6.1)", () => {
    expect(framingOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")).toBe(400);
  });
});

function framingOf(text: string): number | "chunked" {
  const limits = { maxRequestLineBytes: 100, maxHeaderBytes: 300, maxHeaders: 10 };
  const bytes = latin1(text);
  const head = new RequestHeadParser(limits).parse(bytes, 0, bytes.length) as RequestHead;
  const framing = bodyFraming(head);
  return framing instanceof HttpRefusal ? framing.status : framing;
}
