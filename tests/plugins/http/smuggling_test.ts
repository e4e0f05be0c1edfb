import { describe, expect, test } from "bun:test";
import { contentOf, exchange, reflect, statuses } from "./support.ts";

/** The request that an attacker hides; it must never be served. */
const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";
const post = (fields: string, body: string) =>
  `POST /first HTTP/1.1\r\nHost: h\r\n${fields}\r\n${body}`;

describe("request smuggling", () => {
  // Each is interpreted differently by some pair of servers. One refusal, then the connection
  // closes, so that the rest is not taken for a request.
  for (
    const [what, request, status] of [
      ["CL.TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
      [
        "TE.CL",
        post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "8\r\nSMUGGLED\r\n0\r\n\r\n"),
        400,
      ],
      [
        "TE.TE, one of them malformed",
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n"),
        400,
      ],
      ["TE with a vertical tab", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), 400],
      [
        "TE with a space before the colon",
        post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        400,
      ],
      ["TE on a folded line", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400],
      ["TE after a bare CR", post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
      ["TE after a bare LF", post("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
      ["TE after NUL", post("X: y\0Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
      ["TE quoted", post('Transfer-Encoding: "chunked"\r\n', "0\r\n\r\n"), 400],
      ["TE with a comma", post("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), 400],
      ["TE identity", post("Transfer-Encoding: identity\r\n", ""), 400],
      ["TE twice in one line", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400],
      ["TE with another coding", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501],
      [
        "TE in HTTP/1.0",
        post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n").replace("1.1", "1.0"),
        400,
      ],
      ["CL.CL, different", post("Content-Length: 3\r\nContent-Length: 0\r\n", "abc"), 400],
      ["CL.CL, equal", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400],
      ["CL as a list", post("Content-Length: 3, 0\r\n", "abc"), 400],
      ["CL with a sign", post("Content-Length: +3\r\n", "abc"), 400],
      ["CL negative", post("Content-Length: -3\r\n", "abc"), 400],
      ["CL in hexadecimal", post("Content-Length: 0x3\r\n", "abc"), 400],
      ["CL with an underscore", post("Content-Length: 1_0\r\n", "abc"), 400],
      [
        "CL that overflows 32 bits into 3",
        post("Content-Length: 18446744073709551619\r\n", "abc"),
        400,
      ],
      ["CL that is empty", post("Content-Length: \r\n", "abc"), 400],
      ["two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
      ["no Host", "GET / HTTP/1.1\r\n\r\n", 400],
      ["a space in the target", "GET / HTTP/1.1 HTTP/1.1\r\nHost: h\r\n\r\n", 400],
      ["bare LF line ends", "GET / HTTP/1.1\nHost: h\n\n", 400],
    ] as [what: string, request: string, status: number][]
  ) {
    test(`by ${what} is refused with ${status} (RFC 9112 11.2)`, async () => {
      for (const readSize of [Infinity, 1]) {
        const text = await exchange(reflect, request + HIDDEN, { pair: { readSize } });
        expect(statuses(text)).toEqual([status]);
        expect(text).not.toContain("/hidden");
      }
    });
  }

  // The same within chunked bodies, where the head has been accepted.
  for (
    const [what, body] of [
      ["a size with a sign", "+3\r\nabc\r\n0\r\n\r\n"],
      ["a size with a prefix", "0x3\r\nabc\r\n0\r\n\r\n"],
      ["a size with a space", "3 \r\nabc\r\n0\r\n\r\n"],
      ["a size that overflows", "10000000000000003\r\nabc\r\n0\r\n\r\n"],
      ["a bare LF after the size", "3\nabc\r\n0\r\n\r\n"],
      ["a bare LF after the data", "3\r\nabc\n0\r\n\r\n"],
      ["a bare LF in an extension", "3;x\nabc\r\n0\r\n\r\n"],
      ["a bare CR in an extension", "3;x\ry\r\nabc\r\n0\r\n\r\n"],
      ["data beyond the size", "3\r\nabcd\r\n0\r\n\r\n"],
      ["a bare LF at the end", "0\r\n\n"],
      ["a folded trailer", "0\r\n x: y\r\n\r\n"],
    ] as [what: string, body: string][]
  ) {
    test(`by ${what} in a chunked body is refused with 400 (RFC 9112 7.1)`, async () => {
      for (const readSize of [Infinity, 1]) {
        const request = post("Transfer-Encoding: chunked\r\n", body) + HIDDEN;
        const text = await exchange(reflect, request, { pair: { readSize } });
        expect(statuses(text)).toEqual([400]);
        expect(text).not.toContain("/hidden");
      }
    });
  }

  // Trailers are ignored: they cannot change framing or routing.
  test("by a trailer has no effect (RFC 9110 6.5.1)", async () => {
    const body = "3\r\nabc\r\n0\r\nContent-Length: 50\r\nHost: evil\r\n\r\n";
    const request = post("Transfer-Encoding: chunked\r\n", body) +
      HIDDEN.replace("/hidden", "/next");
    const text = await exchange(reflect, request);
    expect(text.split(/(?=HTTP\/1\.1)/).map(contentOf)).toEqual(["POST /first abc", "GET /next "]);
  });
});
