import { describe, expect, test } from "bun:test";
import {
  type Query,
  RATED_ROWS,
  Sampler,
} from "../../../../../../adapters/service/cli/tools/top/sampler.ts";
import { rowOf, selectConnections } from "../../../../../../adapters/service/admin/connections.ts";
import { fakeConnection } from "../../../../../support/fake_connection.ts";

const QUERY: Query = { filter: "", sort: "outRate", descending: true, offset: 0, limit: 2 };

/** An API whose connections have sent `bytes[i]` bytes. */
function service(stats: Record<string, number>, bytes: () => readonly number[]) {
  const asked: string[] = [];
  const ask = async <T>(_method: string, path: string): Promise<T> => {
    if (path === "/readyz") return { ready: true } as T;
    if (path === "/listeners") return { listen: [] } as T;
    if (path === "/stats") return { ...stats } as T;
    asked.push(path);
    const { searchParams } = new URL(path, "http://localhost");
    const open = bytes().map((bytesOut, i) =>
      fakeConnection({ port: 1000 + i, ageSeconds: 100, stats: { bytesOut, bytesIn: 1 } })
    );
    return await selectConnections(open, {
      sort: searchParams.get("sort")!,
      limit: Number(searchParams.get("limit")),
      offset: Number(searchParams.get("offset")),
    }) as T;
  };
  return { ask, asked };
}

describe("Sampler", () => {
  // Two seconds between the samples.
  test("computes rates from two samples", async () => {
    let [now, bytes] = [0, [1000, 5000, 0]];
    const stats = { packetsIn: 10, bytesIn: 100, "drop.not-ours": 1, connections: 3 };
    const sampler = new Sampler(service(stats, () => bytes), () => now);
    const first = await sampler.take(QUERY);
    expect([first.packetsIn, first.rows[0]!.outRate]).toEqual([0, undefined]);
    [now, bytes] = [2000, [9000, 5000, 4000]];
    stats.packetsIn = 30;
    stats.bytesIn = 350;
    stats["drop.not-ours"] = 5;
    const second = await sampler.take(QUERY);
    expect([second.packetsIn, second.bitsIn, second.connections]).toEqual([10, 1000, 3]);
    expect(second.drops).toEqual([{ reason: "not-ours", total: 5, perSecond: 2 }]);
    expect(second.rows.map(({ remote, outRate }) => [remote, outRate]))
      .toEqual([["10.0.0.2:1000", 32_000], ["10.0.0.2:1002", 16_000]]);
    expect(second.total).toBe(3);
    const third = await sampler.take({ ...QUERY, offset: 2 });
    expect(third.rows.length).toBe(1);
  });

  // The service sorts by its own fields; rates are compared among the connections with the most bytes.
  test("asks for a page, or for those that may have the highest rates", async () => {
    const { ask, asked } = service({}, () => [1]);
    const sampler = new Sampler({ ask }, () => 0);
    await sampler.take({ ...QUERY, sort: "srttMs", filter: "a&b", offset: 40 });
    await sampler.take(QUERY);
    await sampler.take({ ...QUERY, sort: "remote", descending: false });
    expect(asked).toEqual([
      "/connections?filter=a%26b&sort=-srttMs&limit=2&offset=40",
      `/connections?sort=-bytesOut&limit=${RATED_ROWS}&offset=0`,
      "/connections?sort=remote&limit=2&offset=0",
    ]);
    expect(rowOf(fakeConnection({ port: 1 })).id).toBe("10.0.0.1:80-10.0.0.2:1");
  });
});
