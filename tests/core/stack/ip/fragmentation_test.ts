import { describe, expect, test } from "bun:test";
import { decode, type SentMessage } from "../../../support/dsl/decode.ts";
import { encodeIcmp, encodeUdp } from "../../../support/dsl/encode.ts";
import { cut, FragmentHost, identificationOf, joined } from "../../../support/fragments.ts";
import { pattern } from "../../../support/packets.ts";

const ENDS = { 4: ["10.0.0.1", "10.0.0.2"], 6: ["fd00::1", "fd00::2"] } as const;
const FAMILIES: [4 | 6][] = [[4], [6]];

/** The fragments of an echo request with `size` bytes of data, 1480 each. */
function ping(version: 4 | 6, size: number, id = 1, step = 1480): Uint8Array<ArrayBuffer>[] {
  const [source, destination] = ENDS[version];
  const type = version === 4 ? 8 : 128;
  const packet = encodeIcmp(source, destination, { type, code: 0, rest: 7, body: pattern(size) });
  const ends = Array.from({ length: Math.ceil((size + 8) / step) - 1 }, (_, i) => (i + 1) * step);
  return cut(packet, ends, id);
}

describe("Fragmentation", () => {
  // `ping -s 3000`: the reply is as long as the request and is sent in fragments. IPv6 fragments
  // have the minimum MTU, since routers do not fragment.
  test.each(FAMILIES)(
    "fragments IPv%d replies above the MTU (RFC 791 3.2, RFC 8200 4.5 and 5)",
    (v: 4 | 6) => {
      const host = new FragmentHost();
      const replies = host.receive(...ping(v, 3000));
      expect(replies.map(({ length }) => length)).toEqual(
        v === 4 ? [1500, 1500, 68] : [
          1280,
          1280,
          592,
        ],
      );
      const reply = decode(joined(replies)) as SentMessage;
      expect(reply).toMatchObject({ type: v === 4 ? 0 : 129, rest: 7, destination: ENDS[v][0] });
      expect(reply.body).toEqual(pattern(3000));
    },
  );

  // The longest possible reply, and the shortest that does not fit the MTU.
  test.each(FAMILIES)("fragments IPv%d replies of every size (RFC 791 3.1)", (v: 4 | 6) => {
    const header = v === 4 ? 20 : 40;
    const longest = v === 4 ? 65_507 : 65_527;
    for (const size of [1500 - header - 8 + 1, 2952, 2953, longest]) {
      const replies = new FragmentHost().receive(...ping(v, size));
      expect(replies.length).toBeGreaterThan(1);
      expect((decode(joined(replies)) as SentMessage).body).toEqual(pattern(size));
    }
    const fitting = new FragmentHost().receive(...ping(v, 1500 - header - 8, 1, 800));
    expect(fitting).toHaveLength(1);
  });

  // The smallest MTU of each family.
  test("fills the MTU with multiples of eight (RFC 791 3.2)", () => {
    const tiny = new FragmentHost(68).receive(...ping(4, 100));
    expect(tiny.map(({ length }) => length)).toEqual([68, 68, 32]);
    const odd = new FragmentHost(1499).receive(...ping(4, 2000));
    expect(odd.map(({ length }) => length)).toEqual([1492, 556]);
    const six = new FragmentHost(1280).receive(...ping(6, 2000));
    expect(six.map(({ length }) => length)).toEqual([1280, 824]);
  });

  // A reply with more fragments than the queue holds is not sent in part.
  test("sends all fragments of a reply or none", () => {
    const host = new FragmentHost(68);
    expect(host.receive(...ping(4, 60_000))).toEqual([]);
    expect(host.stack.stats.linkFull).toBe(1);
  });

  // Fragments of two replies must not be mistaken for one datagram.
  test.each(FAMILIES)(
    "gives IPv%d packets distinct identifications (RFC 6864 4.3, RFC 7739 5.3)",
    (v: 4 | 6) => {
      const host = new FragmentHost();
      const ids = new Set<number>();
      for (let i = 0; i < 200; i++) {
        ids.add(identificationOf(host.receive(...ping(v, 2000, i))[0]!));
      }
      expect(ids.size).toBe(200);
    },
  );

  // An ICMP error has up to 576 bytes; the MTU of this link is smaller.
  test("fragments ICMP errors too (RFC 1812 4.3.2.3)", () => {
    const packet = encodeUdp("10.0.0.1", "10.0.0.2", 5000, 53, pattern(600));
    const sent = new FragmentHost(300).receive(...cut(packet, [304]));
    const error = decode(joined(sent)) as SentMessage;
    expect([sent.length, error.type, error.code, error.size]).toEqual([2, 3, 3, 576]);
  });
});
