import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { EndpointTable, type TableEntry } from "../../../core/stack/endpoint_table.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { IpHeader } from "../../../core/wire/ip.ts";

interface Entry extends TableEntry<Entry> {}

const LOCAL = IpAddress.parse("10.0.0.2")!;

function entry(remote: IpAddress, remotePort: number, localPort: number): Entry {
  return { local: LOCAL, localPort, remote, remotePort, hash: 0, hashNext: undefined };
}

/** Header and ports of a packet for an entry. */
function packetOf({ local, localPort, remote, remotePort }: Entry): [IpHeader, number, number] {
  const ip = new IpHeader();
  [ip.s0, ip.s1, ip.s2, ip.s3] = [remote.w0, remote.w1, remote.w2, remote.w3];
  [ip.d0, ip.d1, ip.d2, ip.d3] = [local.w0, local.w1, local.w2, local.w3];
  return [ip, remotePort, localPort];
}

describe("EndpointTable", () => {
  // Adjacent addresses and ports, more than there are initial buckets.
  test("finds each entry by its addresses and ports (RFC 9293 3.3.1)", () => {
    const random = seededRandom(1);
    const table = new EndpointTable<Entry>(random.uint32());
    const all: Entry[] = [];
    for (let host = 1; host <= 40; host++) {
      const v4 = IpAddress.parse(`10.0.0.${host + 10}`)!;
      const v6 = IpAddress.parse(`fd00::${host}`)!;
      for (let port = 1; port <= 25; port++) all.push(entry(v4, port, 80), entry(v6, 80, port));
    }
    for (const one of all) table.add(one);
    expect(table.count).toBe(2000);
    expect(new Set(table.all()).size).toBe(2000);
    for (const one of all) {
      expect(table.find(...packetOf(one)) === one).toBe(true);
      expect(table.get(LOCAL, one.localPort, one.remote, one.remotePort) === one).toBe(true);
    }
    const gone = all.filter(() => random.fraction() < 0.5);
    for (const one of gone) table.remove(one);
    const left = new Set(all).difference(new Set(gone));
    expect(table.count).toBe(left.size);
    for (const one of all) {
      expect(table.find(...packetOf(one)) === one).toBe(left.has(one));
    }
    // Removing an entry twice has no effect.
    table.remove(gone[0]!);
    expect(table.count).toBe(left.size);
  });

  // A client has 2^64 addresses, and chooses those whose words have the same exclusive or. Its entries must not all
  // be in one chain, because each of its packets would be compared with the whole chain.
  test("has no long chains whatever addresses a peer chooses", () => {
    const table = new EndpointTable<Entry>(seededRandom(2).uint32());
    const all = Array.from(
      { length: 5000 },
      (_, i) => entry(new IpAddress(-0x3000000, 0, i, i ^ 0x5a5a), 50_000, 80),
    );
    for (const one of all) table.add(one);
    const chain = (one: Entry | undefined): number =>
      one === undefined ? 0 : 1 + chain(one.hashNext);
    expect(Math.max(...all.map(chain))).toBeLessThan(20);
    expect(table.count).toBe(5000);
    for (const one of all) {
      expect(table.find(...packetOf(one)) === one).toBe(true);
      expect(table.get(LOCAL, one.localPort, one.remote, one.remotePort) === one).toBe(true);
    }
    for (const one of all) table.remove(one);
    expect([table.count, table.all()]).toEqual([0, []]);
  });
});
