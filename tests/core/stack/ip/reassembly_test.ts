import { describe, expect, test } from "bun:test";
import { bindingOf } from "../../../../core/api/listen_address.ts";
import type { SentMessage } from "../../../support/dsl/decode.ts";
import { encodeIcmp, encodeIp, encodeTcp, encodeUdp } from "../../../support/dsl/encode.ts";
import { cut, FragmentHost, fragmentOf, withHeaderChecksum } from "../../../support/fragments.ts";
import { pattern } from "../../../support/packets.ts";

const ENDS = {
  4: { source: "10.0.0.1", destination: "10.0.0.2" },
  6: { source: "fd00::1", destination: "fd00::2" },
} as const;
const FAMILIES: [4 | 6][] = [[4], [6]];
const HEADER = { 4: 20, 6: 40 } as const;

/** An echo request whose ICMP message has 8 bytes more than `body`. */
function echo(version: 4 | 6, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const { source, destination } = ENDS[version];
  const type = version === 4 ? 8 : 128;
  return encodeIcmp(source, destination, { type, code: 0, rest: 0x10001, body });
}

function udp(version: 4 | 6, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const { source, destination } = ENDS[version];
  return encodeUdp(source, destination, 5000, 53, body);
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, i) =>
    permutations([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [item, ...rest])
  );
}

describe("Reassembly", () => {
  // Four fragments of an echo request in each of 24 orders: the last one triggers the reply.
  test.each(FAMILIES)(
    "reassembles IPv%d fragments in any order (RFC 791 3.2, RFC 8200 4.5)",
    (v: 4 | 6) => {
      const body = pattern(500);
      const host = new FragmentHost();
      const orders = permutations([0, 1, 2, 3]);
      for (const [id, order] of orders.entries()) {
        const fragments = cut(echo(v, body), [8, 200, 336], id);
        for (const i of order.slice(0, 3)) expect(host.receive(fragments[i]!)).toEqual([]);
        const [reply, ...more] = host.exchange(fragments[order[3]!]!) as SentMessage[];
        expect(more).toEqual([]);
        expect(reply).toMatchObject({ type: v === 4 ? 0 : 129, rest: 0x10001 });
        expect(reply!.body).toEqual(body);
      }
      expect(host.stack.stats.reassembled).toBe(24);
      expect(host.stack.nextTimeout()).toBe(Infinity);
      expect(host.drops()).toEqual({});
    },
  );

  // Two hosts use the same identification at the same time, and one host uses two.
  test.each(FAMILIES)("keeps IPv%d datagrams apart (RFC 791 3.2, RFC 8200 4.5)", (v: 4 | 6) => {
    const host = new FragmentHost();
    const { destination } = ENDS[v];
    const other = v === 4 ? "10.0.0.9" : "fd00::9";
    const request = { type: v === 4 ? 8 : 128, code: 0, rest: 1 };
    const bodies = [pattern(100, 1), pattern(100, 2), pattern(100, 3)];
    const fragments = [
      cut(encodeIcmp(ENDS[v].source, destination, { ...request, body: bodies[0]! }), [48], 5),
      cut(encodeIcmp(other, destination, { ...request, body: bodies[1]! }), [48], 5),
      cut(encodeIcmp(ENDS[v].source, destination, { ...request, body: bodies[2]! }), [48], 6),
    ];
    expect(host.receive(...fragments.map(([first]) => first!))).toEqual([]);
    const replies = host.exchange(...fragments.map(([, last]) => last!)) as SentMessage[];
    expect(replies.map(({ body }) => body)).toEqual(bodies);
    expect(replies.map((reply) => reply.destination)).toEqual([
      ENDS[v].source,
      other,
      ENDS[v].source,
    ]);
  });

  // The protocol is part of the key in IPv4 but not in IPv6, where only the first fragment gives
  // the type of the payload.
  test("distinguishes datagrams by protocol in IPv4 but not in IPv6 (RFC 791 3.2, RFC 8200 4.5)", () => {
    for (const [v, replies] of [[4, 0], [6, 1]] as const) {
      const host = new FragmentHost();
      const [first, last] = cut(echo(v, pattern(100)), [48]);
      last![v === 4 ? 9 : 40] = 17;
      expect(host.receive(first!, withHeaderChecksum(last!))).toHaveLength(replies);
    }
  });

  // The network duplicates each fragment; the copies are dropped and the datagram is completed.
  test.each(FAMILIES)(
    "drops only the copies of duplicated IPv%d fragments (RFC 8200 4.5)",
    (v: 4 | 6) => {
      const host = new FragmentHost();
      const [first, second, last] = cut(echo(v, pattern(100)), [48, 72]);
      expect(host.receive(last!, last!, first!, first!, last!)).toEqual([]);
      expect(host.receive(second!)).toHaveLength(1);
      expect(host.drops()).toEqual({ "ip-fragment-duplicate": 3 });
    },
  );

  // Each of these fragments overlaps or contradicts earlier ones: the datagram and later fragments
  // of it are dropped until the timeout, without an ICMP error.
  test.each(FAMILIES)(
    "discards IPv%d datagrams with overlapping fragments (RFC 5722 4)",
    (v: 4 | 6) => {
      const packet = echo(v, pattern(200));
      const changed = echo(v, pattern(200, 1));
      const contradictions: Record<string, Uint8Array> = {
        "begins in another": fragmentOf(packet, 40, 80),
        "ends in another": fragmentOf(packet, 120, 168),
        "covers another": fragmentOf(packet, 64, 80),
        "lies in another": fragmentOf(packet, 8, 16),
        "same place, other bytes": fragmentOf(changed, 0, 48),
        "last before another": fragmentOf(packet, 64, 72, { more: false }),
        "a second end": fragmentOf(packet, 64, 72, { more: false, offset: 400 }),
        "beyond the end": fragmentOf(packet, 64, 72, { more: true, offset: 400 }),
        "not last at the end": fragmentOf(packet, 160, 208, { more: true }),
      };
      for (const [what, contradiction] of Object.entries(contradictions)) {
        const host = new FragmentHost();
        const good = cut(packet, [48, 56, 72, 80, 160]);
        const held = good.filter((_, i) => i === 0 || i === 3 || i === 5);
        expect([what, host.receive(...held, contradiction)]).toEqual([what, []]);
        expect([what, host.receive(...good)]).toEqual([what, []]);
        expect([what, host.drops()]).toEqual([what, { "ip-fragment-overlap": 10 }]);
        expect([what, host.wait(60_000)]).toEqual([what, []]);
        expect([what, host.stack.nextTimeout()]).toEqual([what, Infinity]);
        expect([what, host.receive(...good).length]).toEqual([what, 1]);
      }
    },
  );

  // A fragment other than the last whose length is not a multiple of 8 is dropped; the correct one
  // still completes the datagram. The IPv6 error points at the payload length.
  test.each(FAMILIES)(
    "drops only the IPv%d fragment of invalid length (RFC 8200 4.5)",
    (v: 4 | 6) => {
      const host = new FragmentHost();
      const packet = echo(v, pattern(100));
      const odd = fragmentOf(packet, 0, 44);
      const errors = host.exchange(odd, fragmentOf(packet, 48, 48)) as SentMessage[];
      expect(errors.map(({ type, code, rest }) => [type, code, rest]))
        .toEqual(v === 4 ? [] : [[4, 0, 4]]);
      if (v === 6) expect(errors[0]!.body).toEqual(odd);
      expect(host.receive(...cut(packet, [48]))).toHaveLength(1);
      expect(host.drops()).toEqual({ "ip-fragment-length": 2 });
    },
  );

  // The "ping of death": a fragment that would make the packet longer than 65,535 bytes.
  test.each(FAMILIES)("drops IPv%d fragments beyond 65,535 bytes (RFC 8200 4.5)", (v: 4 | 6) => {
    const host = new FragmentHost();
    const packet = udp(v, pattern(100));
    const tooFar = fragmentOf(packet, 0, 32, { offset: 65_528, more: false });
    const errors = host.exchange(fragmentOf(packet, 0, 48), tooFar) as SentMessage[];
    expect(errors.map(({ type, code, rest }) => [type, code, rest]))
      .toEqual(v === 4 ? [] : [[4, 0, 42]]);
    expect(host.drops()).toEqual({ "ip-fragment-size": 1 });
  });

  // The first fragment has a longer header than the others, which makes the whole too long.
  test("drops a datagram that the first fragment's header makes too long (RFC 791 3.1)", () => {
    const host = new FragmentHost();
    const packet = echo(4, new Uint8Array(65_500));
    const [first, ...others] = cut(packet, [65_000]);
    const withOptions = new Uint8Array(first!.length + 40).fill(1);
    withOptions.set(first!.subarray(0, 20));
    withOptions.set(first!.subarray(20), 60);
    withOptions[0] = 0x4f;
    new DataView(withOptions.buffer).setUint16(2, withOptions.length);
    expect(host.receive(withHeaderChecksum(withOptions), ...others)).toEqual([]);
    expect(host.drops()).toEqual({ "ip-fragment-size": 2 });
  });

  // A first fragment with a truncated TCP header hides ports or flags from packet filters. In IPv6
  // the error has code 3. Later fragments are dropped too.
  test.each(FAMILIES)(
    "discards IPv%d datagrams with a truncated header (RFC 7112 5, RFC 1858 3)",
    (v: 4 | 6) => {
      const syn = { sourcePort: 9, destinationPort: 80, seq: 1, ack: 0, flags: 2, window: 100 };
      const options = { mss: 1000, raw: new Array<number>(12).fill(1) };
      const packet = encodeTcp({ ...syn, ...ENDS[v], options, text: pattern(20) });
      for (const size of [8, 16, 24, 32]) {
        const host = new FragmentHost();
        const errors = host.exchange(...cut(packet, [size])) as SentMessage[];
        expect(errors.map(({ type, code, rest }) => [type, code, rest]))
          .toEqual(v === 4 ? [] : [[4, 3, 0]]);
        expect(host.drops()).toEqual({ "ip-fragment-header": 2 });
      }
      expect(new FragmentHost().receive(...cut(packet, [40]))).toHaveLength(1);
    },
  );

  // An extension header that continues in the second fragment, and a fragment inside a fragment,
  // which may carry an ICMP error.
  test("discards IPv6 datagrams with an incomplete header chain (RFC 7112 5)", () => {
    const icmp = echo(6, pattern(100)).subarray(40);
    const longOptions = Uint8Array.of(58, 3, 1, 28, ...new Uint8Array(28), ...icmp);
    const nested = Uint8Array.of(58, 0, 0, 9, 0, 0, 0, 1, ...icmp);
    const cases = [[60, longOptions, ["4:3"]], [44, nested, []]] as const;
    for (const [next, payload, answers] of cases) {
      const host = new FragmentHost();
      const packet = encodeIp("fd00::1", "fd00::2", next, payload);
      const errors = host.exchange(...cut(packet, [24])) as SentMessage[];
      expect(errors.map(({ type, code }) => `${type}:${code}`)).toEqual([...answers]);
      expect(host.drops()).toEqual({ "ip-fragment-header": 2 });
    }
  });

  // Hop-by-hop options before the fragment header and destination options after it: the packet has
  // those of the first fragment.
  test("keeps IPv6 extension headers before and after the fragment header (RFC 8200 4.5)", () => {
    const host = new FragmentHost();
    const options = Uint8Array.of(58, 0, 1, 4, 0, 0, 0, 0);
    const payload = Uint8Array.of(...options, ...echo(6, pattern(100)).subarray(40));
    const fragments = cut(encodeIp("fd00::1", "fd00::2", 60, payload), [48]).map((fragment) => {
      const packet = Uint8Array.of(
        ...fragment.subarray(0, 40),
        ...[44, 0, 1, 4, 0, 0, 0, 0],
        ...fragment.subarray(40),
      );
      packet[6] = 0;
      new DataView(packet.buffer).setUint16(4, packet.length - 40);
      return packet;
    });
    const [reply] = host.exchange(...fragments.reverse()) as SentMessage[];
    expect(reply!.body).toEqual(pattern(100));
  });

  // A whole packet with a fragment header that has the identification of an incomplete datagram: it
  // is answered at once and does not affect the datagram.
  test("processes atomic fragments as whole packets (RFC 6946 4)", () => {
    const host = new FragmentHost();
    const [first, last] = cut(echo(6, pattern(100)), [48]);
    const whole = echo(6, pattern(50, 9));
    const atomic = fragmentOf(whole, 0, whole.length - 40, { more: false });
    expect(host.receive(first!)).toEqual([]);
    expect((host.exchange(atomic) as SentMessage[])[0]!.body).toEqual(pattern(50, 9));
    expect((host.exchange(last!) as SentMessage[])[0]!.body).toEqual(pattern(100));
    expect(host.stack.stats.reassembled).toBe(1);
  });

  // After 60 s an error is sent if the first fragment has arrived and does not carry an ICMP error.
  test.each(FAMILIES)(
    "drops incomplete IPv%d datagrams after a minute (RFC 792, RFC 4443 3.3)",
    (v: 4 | 6) => {
      const host = new FragmentHost();
      const { source, destination } = ENDS[v];
      const [first, , last] = cut(echo(v, pattern(100)), [48, 64], 1);
      const [, second] = cut(echo(v, pattern(100)), [48, 64], 2);
      const message = { type: v === 4 ? 3 : 1, code: 0, rest: 0, body: pattern(100) };
      const [odd] = cut(encodeIcmp(source, destination, message), [48], 3);
      expect(host.receive(last!, second!, odd!)).toEqual([]);
      expect(host.stack.nextTimeout()).toBe(host.now + 60_000);
      expect(host.wait(59_999)).toEqual([]);
      expect(host.receive(first!)).toEqual([]);
      const [error, ...more] = host.wait(1);
      expect(more).toEqual([]);
      const at = HEADER[v];
      expect([...error!.subarray(at, at + 2)]).toEqual(v === 4 ? [11, 1] : [3, 1]);
      expect(error!.subarray(at + 8)).toEqual(first!);
      expect(host.drops()).toEqual({ "ip-fragment-timeout": 4 });
      expect(host.stack.nextTimeout()).toBe(Infinity);
    },
  );

  // All errors share a burst limit of 1000: after invalid fragments have used it up, timeouts cause
  // no error.
  test("limits errors about fragments (RFC 1812 4.3.2.8, RFC 4443 2.4)", () => {
    const host = new FragmentHost();
    const packet = udp(6, pattern(100));
    host.receive(...Array.from({ length: 100 }, (_, id) => cut(packet, [48], id)[0]!));
    host.now += 60_000;
    const wrong = fragmentOf(packet, 0, 44);
    expect(host.receive(...new Array<Uint8Array>(1200).fill(wrong))).toHaveLength(1000);
    expect(host.wait(0)).toEqual([]);
    expect(host.drops()).toEqual({ "ip-fragment-length": 1200, "ip-fragment-timeout": 100 });
  });

  // CE on one fragment marks the packet, unless another fragment is Not-ECT.
  test("combines ECN codepoints (RFC 3168 5.3)", () => {
    for (const [codepoints, flags] of [[[2, 3], 3], [[2, 2], 2], [[0, 3], undefined]] as const) {
      for (const v of [4, 6] as const) {
        const host = new FragmentHost();
        const fragments = cut(udp(v, pattern(100)), [48]).map((fragment, i) => {
          fragment[1]! |= v === 4 ? codepoints[i]! : codepoints[i]! << 4;
          return withHeaderChecksum(fragment);
        });
        const [error] = host.exchange(...fragments) as SentMessage[];
        const quoted = error?.body[1];
        expect(quoted === undefined ? undefined : v === 4 ? quoted : quoted >> 4).toBe(flags);
        if (flags === undefined) expect(host.drops()).toEqual({ "ip-fragment-ecn": 2 });
      }
    }
  });

  // A fragment from a broadcast address is dropped without an error.
  test("drops fragments whose source is not unicast (RFC 1122 3.2.1.3)", () => {
    const host = new FragmentHost();
    const packet = encodeUdp("10.0.0.255", "10.0.0.2", 5000, 53, pattern(100));
    expect(host.receive(...cut(packet, [48]))).toEqual([]);
    expect(host.wait(60_000)).toEqual([]);
    expect(host.drops()).toEqual({ "ip-source": 2 });
  });
});

describe("a reassembled packet", () => {
  // A SYN with text in two fragments, the second first, opens a connection.
  test.each(FAMILIES)("opens a connection over IPv%d (RFC 9293 3.10.7.2)", (v: 4 | 6) => {
    const host = new FragmentHost();
    host.stack.tcp.listen({ ...bindingOf(80), backlog: 5, decides: false });
    const packet = encodeTcp({
      ...ENDS[v],
      ...{ sourcePort: 9, destinationPort: 80, seq: 100, ack: 0, flags: 2, window: 1000 },
      options: { mss: 1000 },
      text: pattern(60),
    });
    const [answer] = host.exchange(...cut(packet, [24]).reverse());
    expect(answer).toMatchObject({ protocol: "tcp", flags: 0x12, destinationPort: 9 });
    expect(host.stack.tcp.connectionCount).toBe(1);
  });

  // The link has verified the fragments, but not the checksum of the whole.
  test.each(FAMILIES)("has its checksum verified over IPv%d (RFC 9293 3.1)", (v: 4 | 6) => {
    for (const state of ["verified", "partial"] as const) {
      const host = new FragmentHost();
      const wrongTcp = encodeTcp({
        ...ENDS[v],
        ...{ sourcePort: 9, destinationPort: 80, seq: 100, ack: 0, flags: 2, window: 1000 },
        text: pattern(60),
        checksumError: 1,
      });
      const wrongUdp = udp(v, pattern(60));
      wrongUdp[HEADER[v] + 6]! ^= 0x55;
      for (const [i, packet] of [wrongTcp, wrongUdp].entries()) {
        for (const fragment of cut(packet, [24], i)) {
          host.stack.receive(fragment, fragment.length, state, 0, host.now);
        }
      }
      expect(host.sent()).toEqual([]);
      expect(host.drops()).toEqual({ "tcp-checksum": 1, "udp-checksum": 1 });
    }
  });

  // Closed port: the error quotes the reassembled packet.
  test.each(FAMILIES)(
    "is refused with port unreachable over IPv%d (RFC 1122 4.1.3.1)",
    (v: 4 | 6) => {
      const host = new FragmentHost();
      const packet = udp(v, pattern(300));
      const [error] = host.exchange(...cut(packet, [104, 208])) as SentMessage[];
      expect([error!.type, error!.code]).toEqual(v === 4 ? [3, 3] : [1, 4]);
      const quoted = error!.body.slice();
      if (v === 4) {
        // The identification of the fragments, without DF.
        expect([...quoted.subarray(4, 8)]).toEqual([0, 77, 0, 0]);
        quoted.set(packet.subarray(4, 8), 4);
        withHeaderChecksum(quoted);
      }
      expect(quoted).toEqual(packet);
      expect(host.drops()).toEqual({ "udp-port": 1 });
    },
  );
});
