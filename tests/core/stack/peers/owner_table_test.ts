import { describe, expect, test } from "bun:test";
import {
  AdoptedConnections,
  ANNOUNCE_MS,
  ANNOUNCED_AT_ONCE,
} from "../../../../core/stack/peers/adopted.ts";
import { announced, announcements } from "../../../../core/stack/peers/announcement.ts";
import { MAX_OWNERS, OWNER_MS, OwnerTable } from "../../../../core/stack/peers/owner_table.ts";
import { IpAddress } from "../../../../core/wire/address.ts";

function connection(i: number, family: 4 | 6 = 4, mark = 7) {
  const remote = family === 4
    ? IpAddress.v4(0x0a000000 + (i >>> 8))
    : new IpAddress(0xfd000000, 0, 0, i >>> 8);
  const local = IpAddress.parse(family === 4 ? "10.53.0.1" : "fd53::1")!;
  return { local, localPort: 80, remote, remotePort: 1024 + (i & 255), mark };
}

const get = (table: OwnerTable, i: number) => {
  const { local, localPort, remote, remotePort } = connection(i);
  return table.get(local, localPort, remote, remotePort);
};

describe("OwnerTable", () => {
  // What was announced last counts.
  test("has the last owner", () => {
    const table = new OwnerTable(1);
    table.learn(connection(1), 3, 0);
    table.learn(connection(1), 4, 1);
    expect([table.count, get(table, 1)?.owner]).toEqual([1, 4]);
  });

  // The table is bounded, however many connections are announced; the oldest entry is forgotten.
  test("is bounded", () => {
    const table = new OwnerTable(1);
    for (let i = 0; i < MAX_OWNERS; i++) table.learn(connection(i), 3, i);
    table.learn(connection(0), 3, MAX_OWNERS);
    table.learn(connection(MAX_OWNERS), 3, MAX_OWNERS + 1);
    expect(table.count).toBe(MAX_OWNERS);
    expect(get(table, 0)).toBeDefined();
    expect(get(table, 1)).toBeUndefined();
  });

  // The owner has ended, or is cut off.
  test("forgets what is not announced again", () => {
    const table = new OwnerTable(1);
    table.learn(connection(1), 3, 0);
    table.learn(connection(2), 3, 10);
    table.expire(OWNER_MS);
    expect([get(table, 1), get(table, 2)?.owner]).toEqual([undefined, 3]);
  });
});

describe("AdoptedConnections", () => {
  // New connections are announced at once, the others repeatedly, a bounded number at a time.
  test("are announced in turn", () => {
    const adopted = new AdoptedConnections();
    const keys = Array.from({ length: ANNOUNCED_AT_ONCE + 1 }, () => ({}));
    for (const [i, key] of keys.entries()) adopted.add(key, connection(i));
    expect(adopted.take(0).length).toBe(ANNOUNCED_AT_ONCE);
    expect([adopted.take(1).length, adopted.hasFresh]).toEqual([1, false]);
    expect(adopted.take(ANNOUNCE_MS - 1)).toEqual([]);
    adopted.remove(keys[0]!);
    expect(adopted.take(ANNOUNCE_MS).length).toBe(ANNOUNCED_AT_ONCE - 1);
  });

  // An instance that asks repeatedly does not cause a flood of announcements.
  test("are repeated at most once a second", () => {
    const adopted = new AdoptedConnections();
    adopted.add({}, connection(1));
    adopted.take(0);
    adopted.repeat(0);
    expect(adopted.take(0).length).toBe(1);
    adopted.repeat(999);
    expect(adopted.take(999)).toEqual([]);
    adopted.repeat(1000);
    expect(adopted.take(1000).length).toBe(1);
  });
});

describe("announcements", () => {
  // Both families, in lists that fit into a datagram.
  test("are read as they were written", () => {
    const all = Array.from({ length: 500 }, (_, i) => connection(i, i % 3 === 0 ? 6 : 4, i % 64));
    const lists = [...announcements(all)];
    expect(lists.every(({ length }) => length <= 1152)).toBe(true);
    expect(lists.flatMap((list) => [...announced(list)])).toEqual(all);
  });

  // A later version may have other entries; what is cut off is not read.
  test("end at an entry of another format", () => {
    const [list] = [...announcements([connection(1), connection(2)])];
    expect([...announced(list!.subarray(0, 20))].length).toBe(1);
    list![14] = 9;
    expect([...announced(list!)].length).toBe(1);
  });
});
