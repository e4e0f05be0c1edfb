import { describe, expect, test } from "bun:test";
import { Http2Fault, MalformedRequest } from "../../../plugins/http2/fault.ts";
import { http2OptionsSchema } from "../../../plugins/http2/options.ts";
import { RequestDecoder } from "../../../plugins/http2/request_decoder.ts";

/** A decoder, the number of heads it has parsed, and a function that decodes hexadecimal blocks. */
function requestDecoder(options: Parameters<typeof http2OptionsSchema.parse>[0] = {}) {
  const parsed: string[] = [];
  const decoder = new RequestDecoder<string>(http2OptionsSchema.parse(options), (head) => {
    parsed.push(head.target);
    return `${head.method} ${head.target}`;
  });
  const bytesOf = (block: string) => Uint8Array.fromHex(block);
  return {
    decoder,
    parsed,
    head: (block: string) => decoder.head(bytesOf(block), 0, block.length / 2),
    trailers: (block: string) => decoder.trailers(bytesOf(block), 0, block.length / 2),
    skip: (block: string) => decoder.skip(bytesOf(block), 0, block.length / 2),
  };
}

/** `:method GET`, `:path /`, `:scheme http`, `:authority` of the first entry of the dynamic table. */
const REPEATED = "828486be";
/** The same with `:authority a` and with `b`, both added to the table. */
const WITH_A = "828486410161";
const WITH_B = "828486410162";

describe("RequestDecoder", () => {
  // Identical heads are parsed only until the head is cached, and again when the table changes.
  test("parses identical heads once", () => {
    const { head, parsed } = requestDecoder();
    expect(head(WITH_A)).toBe("GET /");
    for (let i = 0; i < 4; i++) expect(head(REPEATED)).toBe("GET /");
    expect(parsed.length).toBe(3);
    head(WITH_B);
    expect(head(REPEATED)).toBe("GET /");
    expect(parsed.length).toBe(5);
  });

  // content-length: 5 twice: it is counted down for each request, so its head is not cached.
  test("reports Content-Length (RFC 9113 8.1.1)", () => {
    const { decoder, head, parsed } = requestDecoder();
    const block = `${REPEATED}0f0d0135`;
    head(WITH_A);
    for (let i = 0; i < 3; i++) {
      head(block);
      expect(decoder.contentLength).toBe(5);
    }
    expect(parsed.length).toBe(4);
    head(REPEATED);
    expect(decoder.contentLength).toBe(-1);
  });

  // Neither :scheme nor :path.
  test("recognizes a malformed request (RFC 9113 8.3.1)", () => {
    const { head } = requestDecoder();
    expect(head("82")).toBeInstanceOf(MalformedRequest);
  });

  // Index 62 of an empty table.
  test("reports a block that cannot be decoded (RFC 9113 4.3)", () => {
    const { head } = requestDecoder();
    const fault = head("be");
    expect(fault).toBeInstanceOf(Http2Fault);
    expect((fault as Http2Fault).codeName).toBe("COMPRESSION_ERROR");
  });

  // A field of 1,032 bytes; the maximum is 1,024.
  test("reports a head that is too large", () => {
    const { decoder, head } = requestDecoder({ maxHeaderBytes: 1024 });
    head(`${WITH_A}0001780131`);
    expect(decoder.isOversized).toBe(false);
    head(`${REPEATED}0001787f8907${"31".repeat(1032)}`);
    expect(decoder.isOversized).toBe(true);
  });

  // A trailer with a connection-specific field, and a block that is skipped.
  test("decodes trailers, and skips blocks of closed streams", () => {
    const { trailers, skip, head } = requestDecoder();
    expect(trailers("0001780131")).toMatchObject({ fault: undefined });
    expect(trailers("82")).toMatchObject({ fault: expect.any(String) });
    expect(skip(WITH_A)).toBe(undefined);
    expect(head(REPEATED)).toBe("GET /");
  });
});
