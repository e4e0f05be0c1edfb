import { describe, expect, test } from "bun:test";
import { MAX_EXTENSION_HEADERS, MAX_OPTIONS } from "../../../../core/wire/ipv6_extensions.ts";
import { inClosed } from "../../../support/dsl/builders.ts";
import { encodeIcmp, encodeIp } from "../../../support/dsl/encode.ts";
import type { Trace } from "../../../support/dsl/trace.ts";
import { cut, FragmentHost } from "../../../support/fragments.ts";

const SOURCE = "fd00::1";
const OWN = "fd00::2";
const HOP_BY_HOP = 0;
const ROUTING = 43;
const DESTINATION = 60;
const ICMPV6 = 58;
const PAD4 = [1, 4, 0, 0, 0, 0];

/** An extension header without its next-header byte. */
interface Extension {
  readonly type: number;
  readonly body: readonly number[];
}

/** Options; with the first two bytes of the header, the length must be a multiple of 8. */
const options = (type: number, ...bytes: number[]): Extension => ({
  type,
  body: [(bytes.length + 2) / 8 - 1, ...bytes],
});
const routing = (routingType: number, segmentsLeft: number): Extension => ({
  type: ROUTING,
  body: [2, routingType, segmentsLeft, 0, 0, 0, 0, ...new Array(16).fill(0)],
});

/** A packet with these extension headers before an echo request or the given payload. */
function packetOf(
  extensions: readonly Extension[],
  last = ICMPV6,
  payload: Uint8Array = echoRequest(),
): Uint8Array<ArrayBuffer> {
  const types = [...extensions.map(({ type }) => type), last];
  const chain = extensions.flatMap(({ body }, i) => [types[i + 1]!, ...body]);
  return encodeIp(SOURCE, OWN, types[0]!, Uint8Array.of(...chain, ...payload));
}

function echoRequest(): Uint8Array {
  const message = { type: 128, code: 0, rest: 7, body: new Uint8Array(8) };
  return encodeIcmp(SOURCE, OWN, message).subarray(40);
}

/** The answer to a packet: `"reply"`, the type, code and pointer of an error, or nothing. */
function answer(t: Trace, packet: Uint8Array<ArrayBuffer>): string | undefined {
  t.wire.inject(packet);
  const [sent] = t.wire.unread.splice(0).map(({ packet }) => packet);
  if (sent === undefined || sent.protocol !== "icmp") return undefined;
  if (sent.type === 129) return "reply";
  expect(sent.body).toEqual(packet.subarray(0, 1232));
  return `${sent.type}:${sent.code} at ${sent.rest}`;
}

describe("IPv6 options", () => {
  // The two high bits of an unknown option's type decide what happens to the packet, in both kinds
  // of header.
  test.each([
    [0x0e, "reply"],
    [0x4e, undefined],
    [0x8e, "4:2 at 42"],
    [0xce, "4:2 at 42"],
    // Jumbo payload and home address, which are not supported.
    [0xc2, "4:2 at 42"],
    [0xc9, "4:2 at 42"],
    // Router alert and tunnel encapsulation limit, which may be skipped.
    [0x05, "reply"],
    [0x04, "reply"],
  ])("of type %i lead to %s (RFC 8200 4.2)", (type: number, expected: string | undefined) => {
    for (const header of [HOP_BY_HOP, DESTINATION]) {
      const t = inClosed({ version: 6 });
      expect(answer(t, packetOf([options(header, type, 4, 1, 2, 3, 4)]))).toBe(expected);
      expect(t.wire.stack.stats.dropped("ip-option")).toBe(expected === "reply" ? 0 : 1);
    }
  });

  // The second option of the second header: the pointer is relative to the start of the packet.
  test("are located by the pointer of the error (RFC 4443 3.4)", () => {
    const t = inClosed({ version: 6 });
    const second = options(DESTINATION, 0x1e, 0, 0x9e, 0, 0, 0);
    expect(answer(t, packetOf([options(HOP_BY_HOP, ...PAD4), second]))).toBe("4:2 at 52");
  });

  // More than 7 consecutive bytes of padding, or padding that is not zero.
  test.each([
    [[1, 5, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0]],
    [[...new Array(14).fill(0)]],
    [[1, 4, 0, 0, 7, 0]],
  ])("that hide something as padding are dropped (RFC 8504 5.3)", (bytes: number[]) => {
    const t = inClosed({ version: 6 });
    expect(answer(t, packetOf([options(DESTINATION, ...bytes)]))).toBeUndefined();
    expect(t.wire.stack.stats.dropped("ip-option")).toBe(1);
  });

  // Eight options are read; the error points at the ninth.
  test("are read up to a limit (RFC 8504 5.3, RFC 8883 2.5)", () => {
    const t = inClosed({ version: 6 });
    const many = (count: number) => new Array(count).fill([0x1e, 0]).flat() as number[];
    expect(answer(t, packetOf([options(DESTINATION, ...many(MAX_OPTIONS), 1, 4, 0, 0, 0, 0)])))
      .toBe("reply");
    const over = packetOf([options(DESTINATION, ...many(MAX_OPTIONS + 3))]);
    expect(answer(t, over)).toBe(`4:9 at ${42 + 2 * MAX_OPTIONS}`);
  });

  // An option longer than its header, or a header longer than the packet.
  test("that are truncated are dropped (RFC 8200 4.2)", () => {
    const t = inClosed({ version: 6 });
    expect(answer(t, packetOf([options(DESTINATION, 0x1e, 5, 0, 0, 0, 0)]))).toBeUndefined();
    expect(answer(t, packetOf([options(DESTINATION, 1, 3, 0, 0, 0, 0x1e)]))).toBeUndefined();
    expect(answer(t, packetOf([{ type: DESTINATION, body: [99, ...PAD4] }]))).toBeUndefined();
    expect(t.wire.stack.stats.dropped("ip-header")).toBe(3);
  });
});

describe("IPv6 extension headers", () => {
  // In any order and any number.
  test("are accepted in any order and repeatedly (RFC 8200 4.1)", () => {
    const t = inClosed({ version: 6 });
    const destination = options(DESTINATION, ...PAD4);
    const chain = [destination, routing(0, 0), destination, destination, routing(253, 0)];
    expect(answer(t, packetOf([options(HOP_BY_HOP, ...PAD4), ...chain]))).toBe("reply");
    expect(answer(t, packetOf(chain))).toBe("reply");
  });

  // After another header, or a second time, hop-by-hop options are an unknown next header.
  test("end at hop-by-hop options that are not first (RFC 8200 4.1)", () => {
    const t = inClosed({ version: 6 });
    const hopByHop = options(HOP_BY_HOP, ...PAD4);
    const late = packetOf([options(DESTINATION, ...PAD4), hopByHop]);
    expect(answer(t, late)).toBe("4:1 at 40");
    expect(answer(t, packetOf([hopByHop, hopByHop]))).toBe("4:1 at 40");
    expect(t.wire.stack.stats.dropped("ip-extension")).toBe(2);
  });

  // Also after a fragment header, which reassembly removes.
  test("end at hop-by-hop options in a fragment (RFC 8200 4.1)", () => {
    const host = new FragmentHost();
    const packet = packetOf([options(HOP_BY_HOP, ...PAD4)]);
    expect(host.exchange(...cut(packet, [16]))).toMatchObject([
      { type: 4, code: 1, rest: 40 },
      { type: 4, code: 1, rest: 40 },
    ]);
    expect(host.drops()).toEqual({ "ip-extension": 2 });
  });

  // No routing type is supported: the packet is for this host only without segments left.
  test.each([0, 2, 3, 4, 253])(
    "of routing type %i need no segments left (RFC 8200 4.4)",
    (type) => {
      const t = inClosed({ version: 6 });
      expect(answer(t, packetOf([routing(type, 0)]))).toBe("reply");
      expect(answer(t, packetOf([routing(type, 1)]))).toBe("4:0 at 42");
      expect(answer(t, packetOf([options(DESTINATION, ...PAD4), routing(type, 1)])))
        .toBe("4:0 at 50");
      expect(t.wire.stack.stats.dropped("ip-source-route")).toBe(2);
    },
  );

  // Thirty-two headers are read; the error points at the next.
  test("are read up to a limit (RFC 8883 2.4)", () => {
    const t = inClosed({ version: 6 });
    const many = new Array<Extension>(MAX_EXTENSION_HEADERS).fill(options(DESTINATION, ...PAD4));
    expect(answer(t, packetOf(many))).toBe("reply");
    const over = packetOf([...many, many[0]!]);
    expect(answer(t, over)).toBe(`4:8 at ${40 + 8 * MAX_EXTENSION_HEADERS}`);
  });

  // The error points at the next-header field with the unknown value, for example ICMP for IPv4.
  test.each([1, 4, 41, 50, 51, 132, 135, 139, 253])(
    "end at next header %i, which is unknown (RFC 8200 4)",
    (unknown) => {
      const t = inClosed({ version: 6 });
      expect(answer(t, packetOf([], unknown))).toBe("4:1 at 6");
      expect(answer(t, packetOf([options(DESTINATION, ...PAD4)], unknown))).toBe("4:1 at 40");
      expect(t.wire.stack.stats.dropped("protocol")).toBe(2);
    },
  );

  // Destination options after the fragment header belong to the reassembled packet.
  test("after a fragment header are processed after reassembly (RFC 8200 4.5)", () => {
    const host = new FragmentHost();
    const packet = packetOf([options(DESTINATION, 0x8e, 4, 0, 0, 0, 0)]);
    const errors = host.exchange(...cut(packet, [16]));
    expect(errors).toMatchObject([{ type: 4, code: 2, rest: 42 }]);
    expect(host.drops()).toEqual({ "ip-option": 1 });
  });
});

describe("errors about IPv6 headers", () => {
  // No error is sent about an ICMP error, after any headers; about a query it is.
  test.each([
    [1, undefined, undefined],
    [2, undefined, undefined],
    [4, undefined, undefined],
    [127, undefined, undefined],
    [137, undefined, undefined],
    [128, "4:2 at 42", "4:0 at 50"],
  ])("about ICMPv6 type %i are %s and %s (RFC 4443 2.4)", (type, aboutOption, aboutRoute) => {
    const t = inClosed({ version: 6 });
    const message = { type: Number(type), code: 0, rest: 0, body: new Uint8Array(48) };
    const payload = encodeIcmp(SOURCE, OWN, message).subarray(40);
    const unknown = options(DESTINATION, 0x8e, 4, 0, 0, 0, 0);
    expect(answer(t, packetOf([unknown], ICMPV6, payload))).toBe(aboutOption);
    const atomic = { type: 44, body: [0, 0, 0, 0, 0, 0, 9] };
    const chain = [options(HOP_BY_HOP, ...PAD4), routing(0, 1), atomic];
    expect(answer(t, packetOf(chain, ICMPV6, payload))).toBe(aboutRoute);
  });

  // No error is sent to a group, nor about packets to another host.
  test.each(
    [
      ["ff02::5", OWN, "ip-source"],
      ["::", OWN, "ip-source"],
      ["::1", OWN, "ip-source"],
      [OWN, OWN, "ip-own-source"],
      [SOURCE, "fd00::9", "not-ours"],
      [SOURCE, "ff02::1", "not-ours"],
      [SOURCE, "::1", "ip-destination"],
    ] as const,
  )("from %s to %s are not sent: %s (RFC 4443 2.4)", (source, destination, reason) => {
    const t = inClosed({ version: 6 });
    const options = [58, 0, 0x8e, 4, 0, 0, 0, 0];
    t.wire.inject(encodeIp(source, destination, DESTINATION, Uint8Array.from(options)));
    t.recvNothing();
    expect(t.wire.stack.stats.dropped(reason)).toBe(1);
  });

  // Errors about headers share the rate limit of all errors.
  test("are limited in rate (RFC 4443 2.4)", () => {
    const t = inClosed({ version: 6 });
    const bad = [
      packetOf([routing(0, 1)]),
      packetOf([options(DESTINATION, 0x8e, 4, 0, 0, 0, 0)]),
      packetOf([], 253),
    ];
    for (let i = 0; i < 1200; i++) t.wire.inject(bad[i % 3]!);
    expect(t.wire.unread.length).toBe(1000);
    expect(t.wire.stack.stats.errorsSent).toBe(1000);
    t.wire.unread.splice(0);
  });
});
