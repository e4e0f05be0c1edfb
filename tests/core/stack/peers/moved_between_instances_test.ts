import { describe, expect, test } from "bun:test";
import { DEAD_MS } from "../../../../core/stack/peers/membership.ts";
import { ANNOUNCED_MS } from "../../../../core/stack/peers/announced_connections.ts";
import { Cluster, type ClusterOptions, type Instance, packetsOf } from "./cluster.ts";

/** Both ways to find the instance, with both profiles. */
const CASES = (["local", "internet"] as const).flatMap((profile) =>
  (["with", "without"] as const).map((timestamps) => [profile, timestamps] as const)
);
/** Thousands of connections times milliseconds. */
const LIMIT_MS = 60_000;
const LOCAL = { profile: "local", clientTimestamps: true } as const;

function talking(options: ClusterOptions, connections = 30): Cluster {
  const cluster = new Cluster(options);
  cluster.connect(connections / 2, "10.0.0.2");
  cluster.connect(connections / 2, "fd00::2");
  cluster.talk(300);
  expect(cluster.broken.length).toBe(0);
  return cluster;
}

/** The instances of a cluster that has at least three. */
function three({ instances }: Cluster): [Instance, Instance, Instance] {
  return instances as [Instance, Instance, Instance];
}

describe("connections that move between peers", () => {
  // Segments of moved connections reach any instance, and still identify the first one, which passes them on until it
  // ends.
  test.each(CASES)(
    "are found after the instance that they came from has ended, profile %s, timestamps: %s",
    (profile: "local" | "internet", timestamps: "with" | "without") => {
      const cluster = talking({ instances: 3, profile, clientTimestamps: timestamps === "with" });
      const [first, second, third] = three(cluster);
      first.group.membership.isServing = false;
      cluster.advance(300);
      expect(cluster.move(first, second)).toBeGreaterThan(3);
      cluster.talk(500);
      expect(cluster.broken.length).toBe(0);
      cluster.kill(first);
      cluster.talk(DEAD_MS + 2000);
      expect(cluster.broken.length).toBe(0);
      // Every packet arrives at the instance that never had the connections.
      cluster.routed = [third];
      cluster.talk(1000);
      expect([cluster.broken.length, cluster.sum("resetsSent")]).toEqual([0, 0]);
    },
    LIMIT_MS,
  );

  // The client's SYN has also reached the third instance, whose half-open connection refuses all segments. Each hop
  // on the way to the second instance, past the first, has to look for an announcement.
  test("are found from an instance with a half-open connection", () => {
    const cluster = new Cluster({ instances: 3, profile: "internet", clientTimestamps: true });
    const [first, second, third] = three(cluster);
    cluster.routed = [first];
    cluster.connect(1);
    const [syn] = packetsOf(cluster.client, cluster.now);
    cluster.deliver(syn!, first);
    cluster.advance(20);
    cluster.deliver(syn!, third);
    cluster.talk(300);
    expect(cluster.move(first, second)).toBe(1);
    cluster.talk(500);
    cluster.kill(first);
    cluster.routed = [second];
    cluster.talk(DEAD_MS + 2000);
    cluster.routed = [third];
    cluster.talk(1000);
    expect(third.core.tcp.unacceptedCount).toBe(1);
    expect([cluster.broken.length, cluster.sum("resetsSent")]).toEqual([0, 0]);
  }, LIMIT_MS);

  // The control for the first test: without announcements nothing is handed on.
  test("are lost without announcements", () => {
    const cluster = talking({ instances: 3, ...LOCAL });
    const [first, second, third] = three(cluster);
    // Messages without a packet that are longer than their header.
    cluster.onMessage = (bytes) => bytes[3] === 0 && bytes.length > 40 ? [] : [bytes];
    const moved = cluster.move(first, second);
    cluster.kill(first);
    cluster.routed = [third];
    cluster.talk(DEAD_MS + 2000);
    expect(cluster.broken.length).toBe(moved);
  }, LIMIT_MS);

  // Each instance announces the connections again, and the last announcement counts.
  test.each(CASES)(
    "move on and back, profile %s, timestamps: %s",
    (profile: "local" | "internet", timestamps: "with" | "without") => {
      const cluster = talking({ instances: 4, profile, clientTimestamps: timestamps === "with" });
      const [first, second, third] = three(cluster);
      const had = cluster.count(first);
      for (const [from, to] of [[first, second], [second, third], [third, first]] as const) {
        expect(cluster.move(from, to)).toBeGreaterThanOrEqual(had);
        cluster.talk(300);
        expect(cluster.broken.length).toBe(0);
      }
      // The instance in between no longer matters.
      for (const each of cluster.instances) expect(cluster.release(each)).toBe(0);
      cluster.talk(1000);
      cluster.kill(second);
      cluster.kill(third);
      cluster.talk(DEAD_MS + 2000);
      const alive = cluster.count(first) + cluster.count(cluster.instances[3]!);
      expect([cluster.broken.length, alive]).toEqual([0, cluster.conversations.length]);
    },
    LIMIT_MS,
  );

  // The first instance continues without a list of its former connections.
  test("are passed on by the first instance only until they are announced", () => {
    const cluster = talking({ instances: 3, ...LOCAL }, 10);
    const [first, second] = three(cluster);
    const moved = cluster.move(first, second);
    expect(cluster.release(first)).toBe(moved);
    cluster.advance(50);
    expect(cluster.release(first)).toBe(0);
    cluster.talk(ANNOUNCED_MS + 1000, 10);
    expect([cluster.broken.length, cluster.sum("resetsSent")]).toEqual([0, 0]);
  }, LIMIT_MS);

  // The new instance asks for earlier announcements, and is not ready before it has them.
  test("are known to an instance that has just started", () => {
    const cluster = talking({ instances: 3, ...LOCAL });
    const [first, second] = three(cluster);
    cluster.move(first, second);
    cluster.talk(500);
    cluster.kill(first);
    cluster.talk(DEAD_MS + 1000);
    const added = cluster.start(3);
    cluster.setMembers();
    cluster.advance(600);
    cluster.routed = [added];
    cluster.talk(1000);
    expect([cluster.broken.length, cluster.sum("resetsSent")]).toEqual([0, 0]);
  }, LIMIT_MS);

  // The connection has ended at the second instance, and the client uses its port again, with another instance.
  test("make room for a later connection with their ports", () => {
    const cluster = talking({ instances: 3, ...LOCAL }, 2);
    const [first, second, third] = three(cluster);
    cluster.routed = [first];
    const [old] = cluster.connect(1);
    cluster.talk(200);
    cluster.move(first, second);
    cluster.talk(200);
    cluster.client.tcp.abort(old!.tcb);
    cluster.advance(50);
    cluster.conversations.splice(cluster.conversations.indexOf(old!), 1);
    expect(cluster.release(first)).toBe(0);
    cluster.routed = [third];
    const [again] = cluster.connect(1, "10.0.0.2", old!.tcb.localPort);
    cluster.talk(200);
    for (const each of cluster.instances) {
      cluster.routed = [each];
      cluster.talk(300);
    }
    expect([again!.tcb.state, again!.wrong, again!.received]).toEqual([
      "ESTABLISHED",
      0,
      again!.sent,
    ]);
  }, LIMIT_MS);

  // The connection has ended; a late segment goes from the first instance to the second, and no further.
  test("do not send a late segment in a circle", () => {
    const cluster = talking({ instances: 3, ...LOCAL }, 2);
    const [first, second, third] = three(cluster);
    cluster.routed = [first];
    const [late] = cluster.connect(1);
    cluster.talk(200);
    cluster.move(first, second);
    cluster.move(second, first);
    cluster.move(first, second);
    cluster.talk(200);
    const segment = cluster.lastSent(late!.tcb);
    for (const tcb of second.core.tcp.connections()) second.core.tcp.abort(tcb);
    cluster.routed = [];
    cluster.advance(50);
    const before = cluster.sum("handedToPeer") + first.core.stats.redirected;
    for (const each of [first, second, third]) {
      cluster.deliver(segment, each);
      cluster.advance(100);
    }
    const passed = cluster.sum("handedToPeer") + first.core.stats.redirected - before;
    expect(passed).toBeLessThanOrEqual(3 * 4);
  }, LIMIT_MS);

  // A segment that the connection refuses has the mark of the first instance, as all of them have.
  test("keep their segments, even those that they drop", () => {
    const cluster = talking({ instances: 2, ...LOCAL }, 2);
    const [first, second] = cluster.instances as [Instance, Instance];
    cluster.routed = [first];
    const [conversation] = cluster.connect(1);
    cluster.talk(200);
    const old = cluster.lastSent(conversation!.tcb);
    cluster.talk(200);
    cluster.move(first, second);
    cluster.advance(50);
    const before = second.core.stats.handedToPeer;
    cluster.deliver(old, second);
    cluster.advance(50);
    expect(second.core.stats.handedToPeer).toBe(before);
  }, LIMIT_MS);
});
