import { describe, expect, test } from "bun:test";
import { inClosed } from "../../../support/dsl/builders.ts";
import { encodeIcmp } from "../../../support/dsl/encode.ts";
import type { Trace } from "../../../support/dsl/trace.ts";
import { withHeaderChecksum } from "../../../support/fragments.ts";

/** An ICMP message, by default an echo request, whose IP header has these options. */
function withOptions(options: readonly number[], type = 8): Uint8Array<ArrayBuffer> {
  const plain = encodeIcmp("10.0.0.1", "10.0.0.2", {
    type,
    code: 0,
    rest: 7,
    body: new Uint8Array(28),
  });
  const padded = [...options, ...new Array((4 - options.length % 4) % 4).fill(0)];
  const packet = Uint8Array.of(...plain.subarray(0, 20), ...padded, ...plain.subarray(20));
  packet[0] = 0x45 + padded.length / 4;
  new DataView(packet.buffer).setUint16(2, packet.length);
  return withHeaderChecksum(packet);
}

/** The ICMP answer to a packet. */
function answer(t: Trace, packet: Uint8Array<ArrayBuffer>): string | undefined {
  t.wire.inject(packet);
  const [sent] = t.wire.unread.splice(0).map(({ packet }) => packet);
  if (sent === undefined || sent.protocol !== "icmp") return undefined;
  if (sent.type === 0) return "reply";
  expect(sent.body).toEqual(packet.subarray(0, 548));
  return `${sent.type}:${sent.code} at ${sent.rest >>> 24}`;
}

describe("IPv4 options", () => {
  // Unknown options, padding, and route options that end here or only record.
  test.each([
    ["unknown", [222, 4, 1, 2]],
    ["no operations", [1, 1, 1, 1]],
    ["an end, whatever follows", [0, 131, 9, 9]],
    ["a record route", [7, 7, 4, 0, 0, 0, 0]],
    ["a full record route", [7, 7, 8, 10, 0, 0, 9]],
    ["a timestamp", [68, 8, 5, 0, 0, 0, 0, 0]],
    ["a finished loose source route", [131, 7, 8, 10, 0, 0, 9]],
    ["a finished strict source route", [137, 7, 8, 10, 0, 0, 9]],
    ["an empty source route", [131, 3, 4]],
  ])("that are %s are skipped (RFC 1122 3.2.1.8)", (_name: string, options: number[]) => {
    expect(answer(inClosed(), withOptions(options))).toBe("reply");
  });

  // This host does not forward, and reports source route failed.
  test.each([131, 137])(
    "with hops left in source route %i are refused (RFC 1122 3.3.5)",
    (type) => {
      const t = inClosed();
      expect(answer(t, withOptions([type, 7, 4, 10, 0, 0, 9]))).toBe("3:5 at 0");
      expect(answer(t, withOptions([1, type, 11, 8, 10, 0, 0, 9, 10, 0, 0, 8]))).toBe("3:5 at 0");
      expect(t.wire.stack.stats.dropped("ip-source-route")).toBe(2);
    },
  );

  // The pointer gives the invalid byte.
  test.each([
    ["without a length", [1, 1, 1, 222], 23],
    ["of length 0", [222, 0, 0, 0], 20],
    ["of length 1", [1, 222, 1, 0], 21],
    ["longer than the header", [222, 5, 0, 0], 20],
    ["a source route of length 2", [131, 2, 0, 0], 21],
    ["a pointer into its own head", [131, 7, 3, 0, 0, 0, 0], 22],
    ["a pointer that leaves no room", [137, 6, 4, 0, 0, 0, 0, 0], 22],
    ["a record route that points at 0", [7, 7, 0, 0, 0, 0, 0], 22],
    ["a timestamp without flags", [68, 3, 5, 0], 21],
    ["a timestamp that points at 4", [68, 8, 4, 0, 0, 0, 0, 0], 22],
    ["two source routes", [131, 3, 4, 137, 3, 4], 23],
  ])("that are %s are refused (RFC 792)", (_name: string, options: number[], at: number) => {
    const t = inClosed();
    expect(answer(t, withOptions(options))).toBe(`12:0 at ${at}`);
    expect(t.wire.stack.stats.dropped("ip-option")).toBe(1);
  });

  // No error is sent about an ICMP error or a fragment other than the first.
  test("cause no error where none may be sent (RFC 1122 3.2.2)", () => {
    const t = inClosed();
    for (const type of [3, 4, 5, 11, 12, 40]) {
      expect(answer(t, withOptions([222, 0, 0, 0], type))).toBeUndefined();
    }
    const fragment = withOptions([222, 0, 0, 0]);
    fragment[7] = 9;
    expect(answer(t, withHeaderChecksum(fragment))).toBeUndefined();
    expect(t.wire.stack.stats.dropped("ip-option")).toBe(7);
  });
});
