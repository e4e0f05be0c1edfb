import { describe, expect, test } from "bun:test";
import { DEAD_MS } from "../../../../core/stack/peers/membership.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";

/** Both ways to find the instance. */
const CASES = [["with"], ["without"]] as const;

function talking(options: Partial<ClusterOptions>, connections = 60): Cluster {
  const cluster = new Cluster({
    ...{ instances: 3, shards: 3, profile: "local", clientTimestamps: true },
    ...options,
  });
  cluster.connect(connections / 2, "10.0.0.2");
  cluster.connect(connections / 2, "fd00::2");
  cluster.talk(500);
  expect(cluster.broken.length).toBe(0);
  return cluster;
}

describe("peers that run as several shards", () => {
  // A packet reaches any shard of any instance. A message reaches the first shard, which passes it to the shard that
  // has the connection.
  test.each(CASES)(
    "break no connection when an instance is added, timestamps: %s",
    (timestamps) => {
      const cluster = talking({ clientTimestamps: timestamps === "with" });
      cluster.start(3);
      cluster.setMembers();
      cluster.advance(500);
      cluster.routed = [...cluster.instances];
      cluster.talk(1000);
      cluster.connect(60);
      cluster.talk(500);
      expect([cluster.broken.length, cluster.sum("resetsSent")]).toEqual([0, 0]);
      expect(cluster.sum("handedToPeer")).toBeGreaterThan(300);
      for (const { cores } of cluster.instances) {
        for (const { tcp } of cores) expect(tcp.connectionCount).toBeGreaterThan(0);
      }
    },
    60_000,
  );

  // Every shard knows of the death, although only the first shard receives the messages of other instances.
  test("break only the connections of an instance that dies", () => {
    const cluster = talking({});
    const [first] = cluster.instances;
    const had = cluster.count(first!);
    cluster.kill(first!);
    cluster.talk(DEAD_MS + 3000);
    expect(cluster.broken.length).toBe(had);
  }, 60_000);

  // Two shards of an instance send at the same time; the receiver tells their sequences apart.
  test("do not mistake the messages of one shard for repetitions of another's", () => {
    const cluster = talking({});
    cluster.routed = [cluster.instances[2]!];
    cluster.talk(2000);
    expect(cluster.broken.length).toBe(0);
    const replayed = cluster.instances.flatMap(({ cores }) => cores)
      .map(({ stats }) => stats.dropped("peer-replay"));
    expect(replayed.reduce((sum, each) => sum + each)).toBe(0);
  }, 60_000);

  // A message was recorded and is sent again: the first shard drops it.
  test("take each message once", () => {
    const cluster = talking({}, 20);
    cluster.onMessage = (bytes) => [bytes, bytes.slice()];
    cluster.routed = [cluster.instances[0]!];
    const before = cluster.instances.map(({ core }) => core.stats.dropped("peer-replay"));
    cluster.talk(500);
    expect(cluster.broken.length).toBe(0);
    const after = cluster.instances.map(({ core }) => core.stats.dropped("peer-replay"));
    expect(after.every((count, i) => count > before[i]!)).toBe(true);
  }, 60_000);
});
