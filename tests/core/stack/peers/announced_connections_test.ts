import { describe, expect, test } from "bun:test";
import {
  ANNOUNCE_MS,
  ANNOUNCED_AT_ONCE,
  TakenOverConnections,
} from "../../../../core/stack/peers/taken_over.ts";
import { announced, announcements } from "../../../../core/stack/peers/announcement.ts";
import {
  ANNOUNCED_MS,
  AnnouncedConnections,
  MAX_ANNOUNCED,
} from "../../../../core/stack/peers/announced_connections.ts";
import { IpAddress } from "../../../../core/wire/address.ts";

function connection(i: number, family: 4 | 6 = 4, mark = 7) {
  const remote = family === 4
    ? IpAddress.v4(0x0a000000 + (i >>> 8))
    : new IpAddress(0xfd000000, 0, 0, i >>> 8);
  const local = IpAddress.parse(family === 4 ? "10.53.0.1" : "fd53::1")!;
  return { local, localPort: 80, remote, remotePort: 1024 + (i & 255), mark };
}

const get = (table: AnnouncedConnections, i: number) => {
  const { local, localPort, remote, remotePort } = connection(i);
  return table.get(local, localPort, remote, remotePort);
};

describe("AnnouncedConnections", () => {
  // What was announced last counts.
  test("has the last instance", () => {
    const table = new AnnouncedConnections(1);
    table.learn(connection(1), 3, 0);
    table.learn(connection(1), 4, 1);
    expect([table.count, get(table, 1)?.instance]).toEqual([1, 4]);
  });

  // The table is bounded, however many connections are announced; the oldest entry is forgotten.
  test("is bounded", () => {
    const table = new AnnouncedConnections(1);
    for (let i = 0; i < MAX_ANNOUNCED; i++) table.learn(connection(i), 3, i);
    table.learn(connection(0), 3, MAX_ANNOUNCED);
    table.learn(connection(MAX_ANNOUNCED), 3, MAX_ANNOUNCED + 1);
    expect(table.count).toBe(MAX_ANNOUNCED);
    expect(get(table, 0)).toBeDefined();
    expect(get(table, 1)).toBeUndefined();
  });

  // The instance has ended, or is cut off.
  test("forgets what is not announced again", () => {
    const table = new AnnouncedConnections(1);
    table.learn(connection(1), 3, 0);
    table.learn(connection(2), 3, 10);
    table.expire(ANNOUNCED_MS);
    expect([get(table, 1), get(table, 2)?.instance]).toEqual([undefined, 3]);
  });
});

describe("TakenOverConnections", () => {
  // New connections are announced at once, the others repeatedly, a bounded number at a time.
  test("are announced in turn", () => {
    const takenOver = new TakenOverConnections();
    const keys = Array.from({ length: ANNOUNCED_AT_ONCE + 1 }, () => ({}));
    for (const [i, key] of keys.entries()) takenOver.add(key, connection(i));
    expect(takenOver.take(0).length).toBe(ANNOUNCED_AT_ONCE);
    expect([takenOver.take(1).length, takenOver.hasFresh]).toEqual([1, false]);
    expect(takenOver.take(ANNOUNCE_MS - 1)).toEqual([]);
    takenOver.remove(keys[0]!);
    expect(takenOver.take(ANNOUNCE_MS).length).toBe(ANNOUNCED_AT_ONCE - 1);
  });

  // An instance that asks repeatedly does not cause a flood of announcements.
  test("are repeated at most once a second", () => {
    const takenOver = new TakenOverConnections();
    takenOver.add({}, connection(1));
    takenOver.take(0);
    takenOver.repeat(0);
    expect(takenOver.take(0).length).toBe(1);
    takenOver.repeat(999);
    expect(takenOver.take(999)).toEqual([]);
    takenOver.repeat(1000);
    expect(takenOver.take(1000).length).toBe(1);
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
