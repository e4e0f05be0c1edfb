import { describe, expect, test } from "bun:test";
import {
  type ConnectionPage,
  mergePages,
  rowOf,
  selectConnections,
} from "../../../../adapters/service/admin/connections.ts";
import { fakeConnection } from "../../../support/fake_connection.ts";

const portsOf = ({ connections }: ConnectionPage) =>
  connections.map(({ remote }) => Number(remote.replace(/^.*:/, "")));

/** Connections whose `bytesIn` are given; their ports count from 1. */
const open = (...bytesIn: readonly number[]) =>
  bytesIn.map((count, index) => fakeConnection({ port: index + 1, stats: { bytesIn: count } }));

describe("selectConnections", () => {
  // Rows with equal values keep their order, even across the end of the page.
  test("sorts by a number", async () => {
    const some = open(5, 9, 5, 5, 7, 9);
    const ports = async (sort: string, offset: number, limit: number) =>
      portsOf(await selectConnections(some, { sort, offset, limit }));
    expect(await ports("bytesIn", 0, 10)).toEqual([1, 3, 4, 5, 2, 6]);
    expect(await ports("-bytesIn", 0, 10)).toEqual([2, 6, 5, 1, 3, 4]);
    expect(await ports("bytesIn", 0, 2)).toEqual([1, 3]);
    expect(await ports("bytesIn", 1, 3)).toEqual([3, 4, 5]);
    expect(await ports("-bytesIn", 1, 3)).toEqual([6, 5, 1]);
    expect(await ports("bytesIn", 6, 3)).toEqual([]);
  });

  // A field that does not exist has no order.
  test("sorts by text, and by a field that does not exist", async () => {
    const some = ["http", undefined, "echo"].map((plugin, index) =>
      fakeConnection({ port: index + 9, ...plugin && { plugin } })
    );
    const ports = async (sort: string) =>
      portsOf(await selectConnections(some, { sort, offset: 0, limit: 9 }));
    expect(await ports("plugin")).toEqual([10, 11, 9]);
    expect(await ports("-remote")).toEqual([11, 10, 9]);
    expect(await ports("nothing")).toEqual([9, 10, 11]);
  });

  // A filter counts all matches; a page without rows has only their number.
  test("filters and counts", async () => {
    const some = open(1, 2, 3, 4444);
    expect(await selectConnections(some, { filter: "4444", offset: 0, limit: 0 }))
      .toEqual({ total: 1, connections: [] });
    expect(portsOf(await selectConnections(some, { filter: "4444", offset: 0, limit: 5 })))
      .toEqual([4]);
    expect(await selectConnections([], { sort: "bytesIn", offset: 0, limit: 5 }))
      .toEqual({ total: 0, connections: [] });
  });

  // 100,000 connections at once would block the thread for too long, and only the rows of the page are made.
  test("makes rows for the page only, and yields to timers and I/O", async () => {
    let formatted = 0;
    const some = Array.from({ length: 100_000 }, (_, index) => ({
      ...fakeConnection({ port: 7, stats: { bytesIn: index } }),
      get remoteAddr() {
        formatted++;
        return { transport: "tcp" as const, hostname: "10.0.0.2", port: 7 };
      },
    }));
    formatted = 0;
    let turns = 0;
    const timer = setInterval(() => turns++);
    const { total, connections } = await selectConnections(some, {
      sort: "-bytesIn",
      offset: 1000,
      limit: 50,
    });
    clearInterval(timer);
    expect([total, connections.length, connections[0]?.bytesIn]).toEqual([100_000, 50, 98_999]);
    expect(formatted).toBeLessThan(200);
    expect(turns).toBeGreaterThan(1);
  });
});

describe("selectConnections by text", () => {
  const addresses = Array.from({ length: 20_000 }, (_, i) => `10.${i % 7}.${i % 250}.${i >> 8}`);
  const some = addresses.map((hostname, i) => ({
    ...fakeConnection({ port: 7, stats: { bytesIn: i } }),
    remoteAddr: { transport: "tcp" as const, hostname, port: 7 },
  }));

  // A page at the beginning, in the middle and at the end is the same as after one sort of everything, and equals keep
  // their order.
  test.each([0, 10_000, 19_990])("is as after one sort, from row %d on", async (offset) => {
    const collator = new Intl.Collator("en", { numeric: true });
    for (const sort of ["remote", "-remote", "state"]) {
      const { connections } = await selectConnections(some, { sort, offset, limit: 50 });
      const order = some.map(rowOf).sort((a, b) =>
        sort === "state" ? 0 : (sort === "remote" ? 1 : -1) * collator.compare(a.remote, b.remote)
      );
      expect(connections.map(({ bytesIn }) => bytesIn))
        .toEqual(order.slice(offset, offset + 50).map(({ bytesIn }) => bytesIn));
    }
  });

  // Timers and I/O have a turn after each 2000 connections, also at a page far from the beginning.
  test.each([0, 19_000])("yields to timers and I/O, from row %d on", async (offset) => {
    let turns = 0;
    const count = () => {
      turns++;
      timer = setTimeout(count);
    };
    let timer = setTimeout(count);
    await selectConnections(some, { sort: "remote", offset, limit: 50 });
    clearTimeout(timer);
    expect(turns).toBeGreaterThan(15);
  });
});

describe("mergePages", () => {
  // Each thread sends its first rows.
  test("is the page of all threads", () => {
    const page = (...bytesIn: number[]) => ({
      total: 10,
      connections: open(...bytesIn).map(rowOf),
    });
    const bytesIn = (sort: string | undefined, offset: number, limit: number) =>
      mergePages([page(9, 4), page(7, 5)], { sort, offset, limit }).connections
        .map((row) => row.bytesIn);
    expect(bytesIn("-bytesIn", 0, 3)).toEqual([9, 7, 5]);
    expect(bytesIn("bytesIn", 1, 2)).toEqual([5, 7]);
    expect(bytesIn(undefined, 1, 2)).toEqual([4, 7]);
    expect(mergePages([page(), page()], { offset: 0, limit: 0 }).total).toBe(20);
  });
});
