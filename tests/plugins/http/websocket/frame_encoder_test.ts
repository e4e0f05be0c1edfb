import { describe, expect, test } from "bun:test";
import {
  closePayload,
  MAX_HEADER_BYTES,
  OPCODE,
  putFrame,
  putTextFrame,
} from "../../../../plugins/http/websocket/frame_encoder.ts";
import { textOf } from "../support.ts";
import { serverFrames } from "./support.ts";

describe("putFrame", () => {
  // The example of the RFC, and each form of the length at its limits.
  test("writes final frames without a mask (RFC 6455 5.2, 5.7)", () => {
    expect(framed(OPCODE.text, new TextEncoder().encode("Hello"))).toBe("\x81\x05Hello");
    for (const length of [0, 125, 126, 65_535, 65_536, 100_000]) {
      const frame = framed(OPCODE.binary, new Uint8Array(length).fill(0x61));
      expect(frame.length).toBe(length + (length < 126 ? 2 : length < 65_536 ? 4 : 10));
      expect(serverFrames(frame)).toEqual([[2, "a".repeat(length)]]);
    }
  });

  // Frames follow each other in one array.
  test("begins where it is told, and returns the end", () => {
    const target = new Uint8Array(20);
    const end = putFrame(target, putTextFrame(target, 3, "ab"), OPCODE.pong, Uint8Array.of(1));
    expect([...target.subarray(0, end)]).toEqual([0, 0, 0, 0x81, 2, 97, 98, 0x8a, 1, 1]);
  });
});

describe("putTextFrame", () => {
  // Characters of one to four bytes, where the number of bytes decides on the form of the length.
  for (const character of ["a", "\u00fc", "\u20ac", "\u{1f600}"]) {
    test(`writes text of ${character} (RFC 6455 5.2, 5.6)`, () => {
      for (const count of [0, 1, 31, 42, 62, 63, 125, 126, 1000, 21_845, 32_768, 65_535, 65_536]) {
        const text = character.repeat(count);
        const target = new Uint8Array(MAX_HEADER_BYTES + 3 * text.length);
        const end = putTextFrame(target, 0, text);
        const bytes = new TextEncoder().encode(text).length;
        expect(end).toBe(bytes + (bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10));
        expect(serverFrames(textOf(target.subarray(0, end)))).toEqual([[1, text]]);
      }
    });
  }

  // A lone surrogate has no UTF-8 form.
  test("replaces a lone surrogate", () => {
    const target = new Uint8Array(30);
    const end = putTextFrame(target, 0, "a\ud800b");
    expect(serverFrames(textOf(target.subarray(0, end)))).toEqual([[1, "a\ufffdb"]]);
  });
});

describe("closePayload", () => {
  // A control frame has at most 125 bytes, and the reason must not be cut within a character.
  test("has the code and the truncated reason (RFC 6455 5.5.1)", () => {
    const close = (code: number | undefined, reason: string) =>
      framed(OPCODE.close, closePayload(code, reason));
    expect(close(undefined, "")).toBe("\x88\x00");
    expect(serverFrames(close(1000, "bye"))).toEqual([[8, 1000, "bye"]]);
    expect(serverFrames(close(1000, "\u00fc".repeat(100)))).toEqual([
      [8, 1000, "\u00fc".repeat(61)],
    ]);
  });
});

function framed(opcode: number, payload: Uint8Array): string {
  const target = new Uint8Array(MAX_HEADER_BYTES + payload.length);
  return textOf(target.subarray(0, putFrame(target, 0, opcode, payload)));
}
