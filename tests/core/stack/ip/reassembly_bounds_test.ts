import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../../adapters/runtime/seeded_random.ts";
import { IcmpPolicy } from "../../../../core/stack/icmp/icmp_policy.ts";
import { MAX_FRAGMENTS } from "../../../../core/stack/ip/partial_datagram.ts";
import {
  type FragmentOutcome,
  MAX_BYTES,
  MAX_DATAGRAMS,
  Reassembly,
  TIMEOUT_MS,
} from "../../../../core/stack/ip/reassembly.ts";
import { Stats } from "../../../../core/stack/stats.ts";
import { IpHeader, parseIp } from "../../../../core/wire/ip.ts";
import { encodeIp } from "../../../support/dsl/encode.ts";
import { cut, FragmentHost, fragmentOf, withHeaderChecksum } from "../../../support/fragments.ts";
import { pattern } from "../../../support/packets.ts";

/** A protocol whose header the first fragment need not hold (RFC 3692 2.1). */
const EXPERIMENT = 253;
const FAMILIES: [4 | 6][] = [[4], [6]];

class Lab {
  readonly stats = new Stats();
  readonly reassembly: Reassembly = new Reassembly(this.stats, new IcmpPolicy([]), 64);
  now = 0;
  readonly #ip = new IpHeader();

  add(fragment: Uint8Array): FragmentOutcome {
    const refused = parseIp(fragment, fragment.length, this.#ip);
    if (refused !== undefined) throw new Error(refused);
    return this.reassembly.add(this.#ip, fragment, this.now);
  }
}

function packetOf(version: 4 | 6, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  return version === 4
    ? encodeIp("10.0.0.1", "10.0.0.2", EXPERIMENT, payload)
    : encodeIp("fd00::1", "fd00::2", EXPERIMENT, payload);
}

describe("Reassembly's memory", () => {
  // One datagram beyond the limit: the oldest is evicted, and the latest can be completed.
  test("is limited to 256 datagrams (RFC 8900 3.7)", () => {
    const lab = new Lab();
    const pieces = Array.from(
      { length: MAX_DATAGRAMS + 1 },
      (_, id) => cut(packetOf(4, pattern(64)), [32], id),
    );
    for (const [first] of pieces) expect(lab.add(first!)).toEqual({});
    expect(lab.reassembly.count).toBe(MAX_DATAGRAMS);
    expect(lab.stats.dropped("ip-fragment-limit")).toBe(1);
    expect(lab.add(pieces[MAX_DATAGRAMS]![1]!).whole).toBeDefined();
    expect(lab.add(pieces[1]![1]!).whole).toBeDefined();
    expect(lab.add(pieces[0]![1]!)).toEqual({});
  });

  // One source sends first fragments endlessly; incomplete datagrams of others are not evicted.
  test.each(FAMILIES)("cannot be taken up by one source (IPv%d, RFC 8900 3.7)", (version) => {
    const lab = new Lab();
    const other = (host: number) => {
      const payload = pattern(64);
      return version === 4
        ? encodeIp(`10.0.1.${host}`, "10.0.0.2", EXPERIMENT, payload)
        : encodeIp(`fd00:${host}::1`, "fd00::2", EXPERIMENT, payload);
    };
    const pieces = Array.from({ length: 100 }, (_, n) => cut(other(n + 1), [32], n));
    for (const [first] of pieces) lab.add(first!);
    for (let id = 0; id < 2000; id++) lab.add(cut(packetOf(version, pattern(64)), [32], id)[0]!);
    expect(lab.reassembly.count).toBe(MAX_DATAGRAMS);
    for (const [, last] of pieces) expect(lab.add(last!).whole).toBeDefined();
  });

  // Datagrams of maximum size without their last fragment: memory stays below the limit, and the
  // datagram that grows is not the one evicted.
  test("is limited to 4 MiB (RFC 8900 3.7)", () => {
    const lab = new Lab();
    const packet = packetOf(6, new Uint8Array(65_000));
    const pieces = Array.from({ length: 44 }, (_, i) => [i * 1232, (i + 1) * 1232] as const);
    let held = 0;
    for (let id = 0; id < 100; id++) {
      for (const [start, end] of pieces) {
        lab.add(fragmentOf(packet, start, end, { id }));
        held = Math.max(held, lab.reassembly.byteLength);
      }
    }
    expect(held).toBeGreaterThan(MAX_BYTES - 4096);
    expect(held).toBeLessThanOrEqual(MAX_BYTES);
    expect(lab.stats.dropped("ip-fragment-limit")).toBeGreaterThan(30 * 44);
    expect(lab.add(fragmentOf(packet, 44 * 1232, 65_000, { id: 99 })).whole).toHaveLength(65_040);
  });

  // A datagram with too many fragments is discarded and releases its memory.
  test("is limited to 128 fragments of a datagram (RFC 8900 3.7)", () => {
    const lab = new Lab();
    const packet = packetOf(4, new Uint8Array(8 * (MAX_FRAGMENTS + 2)));
    for (let i = 0; i < MAX_FRAGMENTS; i++) {
      expect(lab.add(fragmentOf(packet, i * 8, i * 8 + 8))).toEqual({});
    }
    const next = MAX_FRAGMENTS * 8;
    expect(lab.add(fragmentOf(packet, next, next + 8))).toEqual({ drop: "ip-fragment-limit" });
    expect(lab.add(fragmentOf(packet, next + 8, next + 16))).toEqual({ drop: "ip-fragment-limit" });
    expect(lab.stats.dropped("ip-fragment-limit")).toBe(MAX_FRAGMENTS);
    expect(lab.reassembly.byteLength).toBeLessThan(1024);
    lab.reassembly.expire(TIMEOUT_MS);
    expect([lab.reassembly.count, lab.reassembly.byteLength]).toEqual([0, 0]);
  });
});

/** A naive model of the same decisions that checks every byte. */
class Oracle {
  #pieces: { bytes: Map<number, number>; end: number; more: boolean }[] = [];
  #dead = false;

  add(payload: Uint8Array, start: number, more: boolean): Uint8Array | string | undefined {
    if (this.#dead) return "ip-fragment-overlap";
    const bytes = new Map([...payload].map((byte, i) => [start + i, byte]));
    const piece = { bytes, end: start + payload.length, more };
    if (this.#pieces.some((known) => isSame(known, piece))) return "ip-fragment-duplicate";
    const all = [...this.#pieces, piece];
    const places = all.flatMap((one) => [...one.bytes.keys()]);
    const ends = all.filter((one) => !one.more).map((one) => one.end);
    const last = ends[0] ?? Infinity;
    const beyond = all.some((one) => one.more ? one.end >= last : one.end > last);
    if (new Set(places).size < places.length || ends.length > 1 || beyond) {
      this.#dead = true;
      return "ip-fragment-overlap";
    }
    this.#pieces = all;
    if (places.length !== last) return undefined;
    this.#pieces = [];
    const whole = new Uint8Array(last);
    for (const one of all) for (const [at, byte] of one.bytes) whole[at] = byte;
    return whole;
  }
}

type Piece = { bytes: Map<number, number>; end: number; more: boolean };

function isSame(a: Piece, b: Piece): boolean {
  return a.end === b.end && a.more === b.more && a.bytes.size === b.bytes.size &&
    [...a.bytes].every(([at, byte]) => b.bytes.get(at) === byte);
}

describe("Reassembly and a naive model", () => {
  // Random datagrams in random fragments and orders, with duplicates, overlaps and wrong ends: both
  // decide the same about each fragment.
  test.each(FAMILIES)("agree about IPv%d (RFC 815, RFC 5722 4)", (v: 4 | 6) => {
    const random = seededRandom(815 + v);
    const below = (limit: number) => random.uint32() % limit;
    const seen = { whole: 0, overlap: 0, duplicate: 0 };
    for (let round = 0; round < 500; round++) {
      const lab = new Lab();
      const oracle = new Oracle();
      const length = 17 + below(120);
      const packet = packetOf(v, pattern(length, round));
      const other = packetOf(v, pattern(length, round + (below(2) === 0 ? 0 : 1)));
      for (const { start, end, more, strange } of randomPieces(length, below)) {
        const source = strange ? other : packet;
        const fragment = fragmentOf(source, start, end, { id: round, more });
        const header = v === 4 ? 20 : 40;
        const expected = oracle.add(source.subarray(header + start, header + end), start, more);
        const { drop, whole } = lab.add(fragment);
        const got = whole?.subarray(header) ?? drop;
        expect<unknown[]>([round, got]).toEqual([round, expected]);
        if (whole !== undefined) seen.whole++;
        if (drop === "ip-fragment-overlap") seen.overlap++;
        if (drop === "ip-fragment-duplicate") seen.duplicate++;
      }
    }
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(30);
  });
});

function randomPieces(
  length: number,
  below: (limit: number) => number,
): { start: number; end: number; more: boolean; strange: boolean }[] {
  const pieces = [];
  for (let start = 0; start < length;) {
    const end = Math.min(length, start + 8 * (1 + below(5)));
    // A single piece would not be a fragment.
    if (start === 0 && end === length) continue;
    pieces.push({ start, end, more: end < length, strange: false });
    start = end;
  }
  if (below(3) === 0) pieces.push({ ...pieces[below(pieces.length)]!, strange: below(2) === 0 });
  if (below(4) === 0) {
    const start = 8 * below(Math.ceil(length / 8));
    const end = start + 8 * (1 + below(4));
    if (end <= length) {
      pieces.push({ start, end, more: start === 0 || below(4) > 0, strange: true });
    }
  }
  for (let i = pieces.length - 1; i > 0; i--) {
    const j = below(i + 1);
    [pieces[i], pieces[j]] = [pieces[j]!, pieces[i]!];
  }
  return pieces;
}

describe("random fragments", () => {
  // Arbitrary fragments at arbitrary times: nothing throws, and no limit is exceeded.
  test("stay within the bounds (RFC 8900 3.7)", () => {
    const lab = new Lab();
    const random = seededRandom(8900);
    const below = (limit: number) => random.uint32() % limit;
    const ip = new IpHeader();
    let [bytes, datagrams] = [0, 0];
    for (let i = 0; i < 8000; i++) {
      const packet = randomFragment(below);
      lab.now += below(20);
      lab.reassembly.expire(lab.now);
      if (parseIp(packet, packet.length, ip) !== undefined || !ip.isFragment) continue;
      lab.reassembly.add(ip, packet, lab.now);
      bytes = Math.max(bytes, lab.reassembly.byteLength);
      datagrams = Math.max(datagrams, lab.reassembly.count);
    }
    expect(datagrams).toBe(MAX_DATAGRAMS);
    expect(bytes).toBeGreaterThan(200_000);
    expect(bytes).toBeLessThanOrEqual(MAX_BYTES);
    lab.reassembly.expire(lab.now + TIMEOUT_MS);
    expect([lab.reassembly.count, lab.reassembly.byteLength]).toEqual([0, 0]);
  });

  // The same fragments, most of them corrupted, are passed to a stack, which continues and has valid deadlines only.
  test("do not make a stack throw (RFC 1122 1.2.2)", () => {
    const host = new FragmentHost();
    const random = seededRandom(1122);
    const below = (limit: number) => random.uint32() % limit;
    for (let i = 0; i < 8000; i++) {
      const packet = randomFragment(below);
      for (let n = below(4); n > 0; n--) packet[below(Math.min(60, packet.length))] = below(256);
      const size = below(8) === 0 ? below(packet.length + 1) : packet.length;
      if (below(2) === 0) withHeaderChecksum(packet);
      host.stack.receive(packet, size, "full", 0, host.now);
      host.wait(below(20));
    }
    expect(host.stack.stats.packetsIn).toBe(8000);
    expect(host.stack.nextTimeout()).toBeGreaterThan(host.now);
  });
});

const NOISE = new Uint8Array(4096);
seededRandom(3).fill(NOISE);

function randomFragment(below: (limit: number) => number): Uint8Array<ArrayBuffer> {
  const isV4 = below(2) === 0;
  const protocol = [1, 6, 17, 58, 44, 60, 0, 43, EXPERIMENT][below(9)]!;
  const payload = NOISE.subarray(below(1000)).subarray(0, 16 + below(1400));
  const [source, destination] = isV4 ? ["10.0.0.1", "10.0.0.2"] : ["fd00::1", "fd00::2"];
  const packet = encodeIp(source!, destination!, protocol, payload);
  const end = below(5) === 0 ? payload.length : payload.length & ~7;
  return fragmentOf(packet, 0, end, {
    id: below(600),
    more: below(6) > 0,
    offset: 8 * below(below(4) === 0 ? 8192 : 400),
  });
}
