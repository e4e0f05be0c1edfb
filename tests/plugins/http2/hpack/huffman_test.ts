import { describe, expect, test } from "bun:test";
import { ByteWriter } from "../../../../plugins/http2/byte_writer.ts";
import {
  decodeHuffman,
  huffmanLength,
  maxDecodedLength,
  writeHuffman,
} from "../../../../plugins/http2/hpack/huffman.ts";
import { dump, hex } from "./support.ts";

function encoded(text: string): Uint8Array {
  const out = new ByteWriter(1);
  writeHuffman(out, text);
  return out.bytes.subarray(0, out.length);
}

function decoded(bytes: Uint8Array): string | undefined {
  const target = new Uint8Array(maxDecodedLength(bytes.length));
  const length = decodeHuffman(bytes, 0, bytes.length, target);
  return length < 0 ? undefined : String.fromCharCode(...target.subarray(0, length));
}

describe("the Huffman code", () => {
  // The strings of RFC 7541 Appendix C.
  test.each([
    ["www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"],
    ["no-cache", "a8eb10649cbf"],
    ["custom-value", "25a849e95bb8e8b4bf"],
    ["302", "6402"],
    ["Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"],
    ["https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"],
  ])("writes and reads %s (RFC 7541 C)", (text, bytes) => {
    expect(dump(encoded(text))).toBe(bytes);
    expect(huffmanLength(text)).toBe(bytes.length / 2);
    expect(decoded(hex(bytes))).toBe(text);
  });

  // Codes of various lengths from RFC 7541 Appendix B, padded with ones to whole bytes.
  test.each([
    [0x30, "07"],
    [0x74, "4f"],
    [0x20, "53"],
    [0x3a, "b9"],
    [0x26, "f8"],
    [0x21, "fe3f"],
    [0x27, "ff5f"],
    [0x00, "ffc7"],
    [0x5c, "fffe1f"],
    [0x80, "fffe6f"],
    [0x01, "ffffb1"],
    [0x09, "ffffea"],
    [0xff, "fffffbbf"],
    [0x0a, "fffffff3"],
    [0x16, "fffffffb"],
  ])("has the code of symbol %i (RFC 7541 B)", (symbol, bytes) => {
    expect(dump(encoded(String.fromCharCode(symbol)))).toBe(bytes);
  });

  // Every pair of bytes, which tests each code followed by each other.
  test("reads what it writes, whatever the bytes", () => {
    for (let first = 0; first < 256; first++) {
      let text = "";
      for (let second = 0; second < 256; second++) text += String.fromCharCode(first, second);
      const bytes = encoded(text);
      expect(bytes.length).toBe(huffmanLength(text));
      expect(decoded(bytes) === text).toBe(true);
    }
  });

  // An empty string has no bytes. Up to seven ones are padding; eight ones, or zeros, are not.
  test.each([["", ""], ["1f", "a"], ["1fff", undefined], ["18", undefined], ["ff", undefined]])(
    "reads %s as %s (RFC 7541 5.2)",
    (bytes, text) => expect(decoded(hex(bytes))).toBe(text),
  );
});
