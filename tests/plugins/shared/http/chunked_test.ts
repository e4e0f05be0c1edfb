import { describe, expect, test } from "bun:test";
import { ChunkedDecoder } from "../../../../plugins/shared/http/chunked.ts";
import { latin1, seeded, textOf } from "../../http/support.ts";

const LIMITS = { maxChunkExtensionBytes: 20, maxTrailerBytes: 30 };

describe("ChunkedDecoder", () => {
  // Data, end and following bytes, at every split point.
  for (
    const [body, data] of [
      ["0\r\n\r\n", ""],
      ["3\r\nabc\r\n0\r\n\r\n", "abc"],
      ["1\r\na\r\n2\r\nbc\r\n00\r\n\r\n", "abc"],
      ["A\r\n0123456789\r\n000a\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"],
      ["3;x=y\r\nabc\r\n0;z\r\n\r\n", "abc"],
      ['3;x="a b"\r\nabc\r\n0\r\nTrailer: x\r\nY:\r\n\r\n', "abc"],
      ["2\r\n\r\n\r\n0\r\n\r\n", "\r\n"],
    ] as [body: string, data: string][]
  ) {
    test(`reads ${JSON.stringify(body)}, whole and at every split point (RFC 9112 7.1)`, () => {
      expect(decode(`${body}GET`)).toEqual({ data, rest: "GET", status: 0 });
      for (let split = 1; split < body.length; split++) {
        expect(decode(`${body}GET`, split)).toEqual({ data, rest: "GET", status: 0 });
      }
    });
  }

  // Known request smuggling techniques.
  for (
    const [body, status] of [
      ["\r\n", 400],
      ["x\r\n", 400],
      ["-1\r\na\r\n", 400],
      ["+1\r\na\r\n", 400],
      ["0x1\r\na\r\n", 400],
      [" 1\r\na\r\n", 400],
      ["1 \r\na\r\n", 400],
      ["1\t;x\r\na\r\n", 400],
      ["1g\r\na\r\n", 400],
      ["1\na\r\n", 400],
      ["1\rXa\r\n", 400],
      ["1\r\nab\r\n", 400],
      ["1\r\na\n0\r\n\r\n", 400],
      ["1\r\na\rX", 400],
      ["1;a\nb\r\na\r\n", 400],
      ["1;a\0\r\na\r\n", 400],
      ["1000000000000\r\n", 400],
      ["ffffffffffffffff\r\n", 400],
      ["0\r\n\n", 400],
      ["0\r\n folded\r\n\r\n", 400],
      ["0\r\nX: a\n\r\n", 400],
      ["0\r\nX: \0\r\n\r\n", 400],
      ["0\r\n\rX", 400],
      ["0\r\nX\r\n\r\n", 400],
      ["0\r\nX y\r\n\r\n", 400],
      ["0\r\nX : y\r\n\r\n", 400],
      ["0\r\n: y\r\n\r\n", 400],
      [`0\r\n${"X".repeat(30)}: y\r\n\r\n`, 431],
      [`1;${"x".repeat(21)}\r\n`, 400],
      [`1;${"x".repeat(10)}\r\na\r\n1;${"x".repeat(10)}\r\na\r\n0;x\r\n\r\n`, 400],
      [`0\r\nX: ${"x".repeat(30)}\r\n\r\n`, 431],
    ] as [body: string, status: number][]
  ) {
    test(`refuses ${JSON.stringify(body)} with ${status}, whole and at every split point (RFC 9112 7.1)`, () => {
      expect(decode(body).status).toBe(status);
      for (let split = 1; split < body.length; split++) {
        expect(decode(body, split).status).toBe(status);
      }
    });
  }

  // 2000 random bodies, split at random.
  test("parses random chunks, split at random", () => {
    const random = seeded(11);
    const below = (n: number) => Math.floor(random() * n);
    for (let round = 0; round < 2000; round++) {
      const chunks = Array.from({ length: below(5) }, () => "d".repeat(1 + below(40)));
      const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("") +
        "0\r\n\r\nX";
      const cuts = Array.from({ length: below(5) }, () => below(body.length)).sort((a, b) => a - b);
      expect(decode(body, ...cuts)).toEqual({ data: chunks.join(""), rest: "X", status: 0 });
    }
  });
});

function decode(body: string, ...cuts: number[]): { data: string; rest: string; status: number } {
  const decoder = new ChunkedDecoder(LIMITS);
  const bytes = latin1(body);
  let data = "";
  let at = 0;
  for (const end of [...cuts, bytes.length]) {
    while (at < end && !decoder.ended && !decoder.refusal) {
      at = decoder.advance(bytes, at, end);
      const count = Math.min(decoder.dataLength, end - at);
      data += textOf(bytes.subarray(at, at + count));
      at += count;
      if (count > 0) decoder.take(count);
    }
  }
  return { data, rest: body.slice(at), status: decoder.refusal?.status ?? 0 };
}
