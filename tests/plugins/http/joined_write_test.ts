import { describe, expect, test } from "bun:test";
import { writeHeadAnd, writeJoined } from "../../../plugins/http/joined_write.ts";

/** A connection that has room for writes, or, if `isFull`, makes them wait. */
function connection(isFull = false) {
  const written: string[] = [];
  const buffers: ArrayBufferLike[] = [];
  const write = (bytes: Uint8Array) => {
    written.push(new TextDecoder().decode(bytes));
    buffers.push(bytes.buffer);
    return isFull ? Promise.resolve() : undefined;
  };
  return { write, written, buffers };
}

const bytes = (text: string) => new TextEncoder().encode(text);

describe("writeJoined", () => {
  // Head, content, end of a chunk: one write.
  test("writes text, bytes and text at once", () => {
    const { write, written } = connection();
    expect(writeJoined(write, "head ", bytes("content"), " end")).toBe(undefined);
    expect(written).toEqual(["head content end"]);
  });

  // There is nothing to join, so nothing is copied.
  test("passes data on as it is", () => {
    const { write, buffers } = connection();
    const data = bytes("content");
    writeJoined(write, "", data, "");
    expect(buffers).toEqual([data.buffer]);
  });

  // The connection has copied the bytes when write() returns undefined, otherwise it still reads them.
  test("reuses its buffer unless a write waits", () => {
    const { write, buffers } = connection();
    writeJoined(write, "a", bytes("b"), "");
    writeJoined(write, "c", bytes("d"), "");
    expect(buffers[1]).toBe(buffers[0]!);
    const full = connection(true);
    writeJoined(full.write, "a", bytes("b"), "");
    writeJoined(full.write, "c", bytes("d"), "");
    expect(full.written).toEqual(["ab", "cd"]);
    expect(full.buffers[1]).not.toBe(full.buffers[0]!);
  });

  // 20,000 bytes do not fit into the shared buffer: they are not copied.
  test("writes large pieces one after the other", async () => {
    const { write, written, buffers } = connection();
    const data = bytes("x".repeat(20_000));
    expect(writeJoined(write, "head ", data, " end")).toBe(undefined);
    expect(written).toEqual(["head ", "x".repeat(20_000), " end"]);
    expect(buffers[1]).toBe(data.buffer);
    const full = connection(true);
    await writeJoined(full.write, "head ", data, "");
    expect(full.written).toEqual(["head ", "x".repeat(20_000)]);
  });
});

describe("writeHeadAnd", () => {
  // Small content goes with its head; large content follows, after a wait if there is no room.
  test("writes a head and content in order", async () => {
    const { write, written } = connection();
    expect(writeHeadAnd(write, bytes("head "), bytes("content"))).toBe(undefined);
    expect(written.splice(0)).toEqual(["head content"]);
    const large = "x".repeat(20_000);
    expect(writeHeadAnd(write, bytes("head "), bytes(large))).toBe(undefined);
    expect(written).toEqual(["head ", large]);
    const full = connection(true);
    await writeHeadAnd(full.write, bytes("head "), bytes(large));
    expect(full.written).toEqual(["head ", large]);
  });
});
