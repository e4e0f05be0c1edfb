import { describe, expect, test } from "bun:test";
import { type FrameHandler, FrameReader } from "../../../plugins/http2/frame_reader.ts";
import { ClientFrames } from "./support.ts";

/** A reader and the record of its calls. */
function frameReader(hasPreface = true) {
  const calls: string[] = [];
  const handler: FrameHandler = {
    data: (id, bytes, start, end, length, endsStream) => {
      const text = new TextDecoder().decode(bytes.subarray(start, end));
      calls.push(`data ${id} "${text}" of ${length}${endsStream ? " END_STREAM" : ""}`);
    },
    headerBlock: (id, _bytes, start, end, endsStream) =>
      void calls.push(`headerBlock ${id} ${end - start}${endsStream ? " END_STREAM" : ""}`),
    priority: (id, isValid) => void calls.push(`priority ${id} ${isValid}`),
    rstStream: (id, code) => void calls.push(`rstStream ${id} ${code}`),
    settings: (_bytes, start, end) => void calls.push(`settings ${end - start}`),
    ping: (isAck, bytes, start) => void calls.push(`ping ${isAck} ${bytes[start]}`),
    goaway: () => void calls.push("goaway"),
    windowUpdate: (id, increment) => void calls.push(`windowUpdate ${id} ${increment}`),
    unknown: () => void calls.push("unknown"),
    fail: ({ codeName }) => {
      calls.push(codeName);
      reader.stop();
    },
    failForAbuse: (abuse) => {
      calls.push(abuse);
      reader.stop();
    },
  };
  const reader = new FrameReader(handler, 1000, hasPreface);
  const frames = new ClientFrames();
  return {
    reader,
    calls,
    read(...lines: string[]) {
      const bytes = frames.write(lines);
      return bytes.length - reader.read(bytes, 0, bytes.length);
    },
  };
}

describe("FrameReader", () => {
  // One frame of each type: the handler gets values, without padding and flags.
  test("reads frames of every type (RFC 9113 6)", () => {
    const { read, calls } = frameReader(false);
    const left = read(
      "PREFACE",
      "SETTINGS INITIAL_WINDOW_SIZE=4",
      "SETTINGS ACK",
      "HEADERS 1 block=82",
      'DATA 1 PADDED=3 "ahoy"',
      "DATA 1 END_STREAM",
      "PRIORITY 1",
      "RST_STREAM 1 CANCEL",
      "PING 0102030405060708",
      "WINDOW_UPDATE 0 5",
      "FRAME 22 0 0 payload",
      "GOAWAY 0 NO_ERROR",
    );
    expect(left).toBe(0);
    expect(calls).toEqual([
      "settings 6",
      "headerBlock 1 1",
      'data 1 "ahoy" of 8',
      'data 1 "" of 0 END_STREAM',
      "priority 1 true",
      "rstStream 1 8",
      "ping false 1",
      "windowUpdate 0 5",
      "unknown",
      "goaway",
    ]);
  });

  // HEADERS and two CONTINUATION frames: one block, with no head complete before its end.
  test("assembles a header block (RFC 9113 4.3)", () => {
    const { read, reader, calls } = frameReader();
    read(
      "SETTINGS",
      "HEADERS 1 -END_HEADERS END_STREAM block=82",
      "CONTINUATION 1 -END_HEADERS block=84",
    );
    expect(reader.isBetweenHeads).toBe(false);
    read("CONTINUATION 1 block=86");
    expect(reader.isBetweenHeads).toBe(true);
    expect(calls.at(-1)).toBe("headerBlock 1 3 END_STREAM");
  });

  // DATA is passed on as it arrives, any other frame when it is complete.
  test("waits for the rest of a frame unless it is DATA", () => {
    const { reader, read, calls } = frameReader();
    read("SETTINGS", "HEADERS 1 block=82");
    const bytes = new ClientFrames().write(['DATA 1 END_STREAM "ahoy"', "PING 0102030405060708"]);
    expect(reader.read(bytes, 0, 11)).toBe(11);
    expect(reader.read(bytes, 11, bytes.length - 1)).toBe(13);
    expect(reader.read(bytes, 13, bytes.length)).toBe(bytes.length);
    expect(calls.slice(2)).toEqual([
      'data 1 "ah" of 2',
      'data 1 "oy" of 2 END_STREAM',
      "ping false 1",
    ]);
  });

  // Nothing after the first error is read.
  test("reads nothing after a connection error (RFC 9113 5.4.1)", () => {
    const { read, calls } = frameReader();
    expect(read("PING 0102030405060708", "SETTINGS")).toBe(0);
    expect(read("SETTINGS")).toBe(0);
    expect(calls).toEqual(["PROTOCOL_ERROR"]);
  });

  // A block of 33 CONTINUATION frames.
  test("limits the frames of a header block", () => {
    const { read, calls } = frameReader();
    read("SETTINGS", "HEADERS 1 -END_HEADERS block=82");
    read(...Array.from({ length: 32 }, () => "CONTINUATION 1 -END_HEADERS block=84"));
    expect(calls).toEqual(["settings 0"]);
    read("CONTINUATION 1 block=84");
    expect(calls.at(-1)).toBe("continuation flood");
  });

  // The header list may have 1,000 bytes, so its block may have 2,000 bytes plus one frame.
  test("limits the bytes of a header block", () => {
    const { read, calls } = frameReader();
    read("SETTINGS", "HEADERS 1 -END_HEADERS block=82");
    read("CONTINUATION 1 -END_HEADERS zeros=16384", "CONTINUATION 1 -END_HEADERS zeros=1999");
    expect(calls).toEqual(["settings 0"]);
    read("CONTINUATION 1 zeros=1");
    expect(calls.at(-1)).toBe("continuation flood");
  });
});
