import { describe, expect, test } from "bun:test";
import { DEAD_MS, SILENT_MS } from "../../../../core/stack/peers/membership.ts";
import { Cluster, type Instance } from "./cluster.ts";

const LIMIT_MS = 60_000;
const CASES = [["with"], ["without"]] as const;

/** Instances of which the first has many connections; returns how many. */
function talking(timestamps: string): { cluster: Cluster; first: Instance; had: number } {
  const cluster = new Cluster({
    instances: 3,
    profile: "local",
    clientTimestamps: timestamps === "with",
  });
  cluster.connect(10, "10.0.0.2");
  cluster.connect(10, "fd00::2");
  cluster.talk(500);
  const first = cluster.instances[0]!;
  const had = cluster.count(first);
  expect(had).toBeGreaterThan(2);
  return { cluster, first, had };
}

describe("connections whose clients another instance has reset", () => {
  // The process was suspended, so it counted as dead, and other instances answered its clients with RSTs. When it
  // continues, it probes the clients, whose answers reach other instances.
  test.each(CASES)("end after the instance was suspended, timestamps: %s", (timestamps) => {
    const { cluster, first, had } = talking(timestamps);
    const routed = cluster.routed;
    cluster.kill(first);
    cluster.talk(DEAD_MS + 2000);
    expect([cluster.broken.length, cluster.count(first)]).toEqual([had, had]);
    first.isAlive = true;
    cluster.advance(500);
    expect(cluster.count(first)).toBe(0);
    cluster.routed = routed;
    cluster.conversations.splice(
      0,
      Infinity,
      ...cluster.conversations.filter(({ tcb }) => tcb.state === "ESTABLISHED"),
    );
    cluster.talk(500);
    expect(cluster.broken.length).toBe(0);
  }, LIMIT_MS);

  // The network between the machines was interrupted, but not the network of the clients.
  test.each(CASES)("end after a partition, timestamps: %s", (timestamps) => {
    const { cluster, first } = talking(timestamps);
    cluster.onMessage = (bytes, from) => from === first || bytes[2] === 0 ? [] : [bytes];
    cluster.routed = cluster.instances.slice(1);
    // The clients' retransmissions reach the others after 12.6 and 25.4 s.
    cluster.talk(SILENT_MS + 12_000);
    const orphans = cluster.count(first);
    expect(orphans).toBeGreaterThan(2);
    cluster.onMessage = (bytes) => [bytes];
    cluster.advance(1000);
    expect(cluster.count(first)).toBe(0);
  }, LIMIT_MS);

  // The other clients still have their connections: each gets one probe, which is answered.
  test("are distinguished from those whose clients are still there", () => {
    const { cluster, first } = talking("with");
    cluster.onMessage = (_, from) => from === first ? [] : [_];
    cluster.advance(DEAD_MS + 500);
    cluster.onMessage = (bytes) => [bytes];
    cluster.advance(500);
    cluster.talk(500);
    expect(cluster.broken.length).toBe(0);
    expect(cluster.instances.reduce((sum, each) => sum + cluster.count(each), 0)).toBe(20);
  }, LIMIT_MS);
});
