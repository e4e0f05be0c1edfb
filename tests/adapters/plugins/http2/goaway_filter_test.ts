import { describe, expect, test } from "bun:test";
import { GoawayFilter } from "../../../../adapters/plugins/http2/goaway_filter.ts";

const PREFACE = [...new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")];

/** A frame (RFC 9113 4.1). */
function frame(type: number, length: number): number[] {
  // A payload of sevens: what looks like the type of GOAWAY is everywhere.
  return [0, length >> 8, length & 255, type, 0, 0, 0, 0, 7, ...Array(length).fill(7)];
}

/** What passes of `bytes`, cut at `cuts`. */
function passed(bytes: readonly number[], cuts: readonly number[]): number[] {
  const filter = new GoawayFilter();
  const out: number[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const chunk = Uint8Array.from(bytes.slice(from, cut));
    for (const part of filter.filter(chunk)) {
      expect(part.length).toBeGreaterThan(0);
      out.push(...part);
    }
    from = cut;
  }
  return out;
}

const SETTINGS = frame(4, 0);
const HEADERS = frame(1, 6);
const DATA = frame(0, 300);
const SENT = [
  ...PREFACE,
  ...SETTINGS,
  ...HEADERS,
  ...frame(7, 8),
  ...frame(7, 0),
  ...DATA,
  ...frame(7, 260),
  ...SETTINGS,
];
const KEPT = [...PREFACE, ...SETTINGS, ...HEADERS, ...DATA, ...SETTINGS];

describe("GoawayFilter", () => {
  // Every other frame passes as it came, whatever its payload looks like.
  test("removes GOAWAY frames alone", () => {
    expect(passed(SENT, [])).toEqual(KEPT);
    expect(passed(KEPT, [])).toEqual(KEPT);
  });

  // A read ends anywhere: within the preface, a length, a type, a payload.
  test("removes them wherever the bytes are cut", () => {
    for (let cut = 1; cut < SENT.length; cut++) {
      expect(passed(SENT, [cut])).toEqual(KEPT);
      expect(passed(SENT, [cut, Math.min(cut + 2, SENT.length)])).toEqual(KEPT);
    }
    expect(passed(SENT, SENT.map((_, index) => index))).toEqual(KEPT);
  });

  // A frame passes as far as it came: nobody waits for its end.
  test("holds back three bytes at most", () => {
    for (let length = 0; length <= KEPT.length; length++) {
      expect(passed(KEPT.slice(0, length), []).length).toBeGreaterThanOrEqual(length - 3);
    }
    const half = [...PREFACE, ...DATA.slice(0, 100)];
    expect(passed(half, [])).toEqual(half);
  });

  // The bytes are not copied where they were read at once.
  test("passes what has no GOAWAY as it is", () => {
    const chunk = Uint8Array.from(KEPT);
    const [first, ...others] = new GoawayFilter().filter(chunk);
    expect(first!.buffer).toBe(chunk.buffer);
    expect(others).toEqual([]);
  });

  // It is known at the type, before the frame has ended.
  test("tells that a GOAWAY came", () => {
    const filter = new GoawayFilter();
    filter.filter(Uint8Array.from([...PREFACE, ...SETTINGS, 0, 0, 8]));
    expect(filter.hasSeenGoaway).toBe(false);
    filter.filter(Uint8Array.from([7]));
    expect(filter.hasSeenGoaway).toBe(true);
  });
});
