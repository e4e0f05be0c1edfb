import { describe, expect, test } from "bun:test";
import {
  encodeClose,
  encodeFrame,
  OPCODE,
} from "../../../../plugins/http/websocket/frame_encoder.ts";
import { textOf } from "../support.ts";
import { serverFrames } from "./support.ts";

describe("encodeFrame", () => {
  // The example of the RFC, and each form of the length at its limits.
  test("writes final frames without a mask (RFC 6455 5.2, 5.7)", () => {
    expect(textOf(encodeFrame(OPCODE.text, new TextEncoder().encode("Hello")))).toBe(
      "\x81\x05Hello",
    );
    for (const length of [0, 125, 126, 65_535, 65_536, 100_000]) {
      const frame = encodeFrame(OPCODE.binary, new Uint8Array(length).fill(0x61));
      expect(frame.length).toBe(length + (length < 126 ? 2 : length < 65_536 ? 4 : 10));
      expect(serverFrames(textOf(frame))).toEqual([[2, "a".repeat(length)]]);
    }
  });
});

describe("encodeClose", () => {
  // A control frame has at most 125 bytes, and the reason must not be cut within a character.
  test("writes the code and the truncated reason (RFC 6455 5.5.1)", () => {
    expect(textOf(encodeClose(undefined, ""))).toBe("\x88\x00");
    expect(serverFrames(textOf(encodeClose(1000, "bye")))).toEqual([[8, 1000, "bye"]]);
    const cut = encodeClose(1000, "\u00fc".repeat(100));
    expect(serverFrames(textOf(cut))).toEqual([[8, 1000, "\u00fc".repeat(61)]]);
  });
});
