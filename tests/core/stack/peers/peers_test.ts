import { describe, expect, test } from "bun:test";
import { DEAD_MS, SILENT_MS } from "../../../../core/stack/peers/membership.ts";
import { MESSAGE_HEADER } from "../../../../core/stack/peers/message.ts";
import { HANDED_PER_SECOND } from "../../../../core/stack/peers/peers.ts";
import { icmpError } from "../../../../core/stack/replies.ts";
import { writeU16 } from "../../../../core/wire/bytes.ts";
import { IpHeader, parseIp, writeHeaderChecksum } from "../../../../core/wire/ip.ts";
import { Cluster, type ClusterOptions, type Conversation } from "./cluster.ts";

/** Both ways to find the instance, with both profiles. */
const CASES = (["local", "internet"] as const).flatMap((profile) =>
  (["with", "without"] as const).map((timestamps) => [profile, timestamps] as const)
);

const LOCAL = { profile: "local", clientTimestamps: true } as const;

function talking(options: ClusterOptions, connections = 100): Cluster {
  const cluster = new Cluster(options);
  cluster.connect(connections / 2, "10.0.0.2");
  cluster.connect(connections / 2, "fd00::2");
  cluster.talk(500);
  expect(cluster.broken.length).toBe(0);
  return cluster;
}

describe("peers", () => {
  // Plain multipath moves most flows; none of them breaks.
  test.each(CASES)(
    "break no connection when an instance is added, profile %s, timestamps: %s",
    (profile: "local" | "internet", timestamps: "with" | "without") => {
      const clientTimestamps = timestamps === "with";
      const cluster = talking({ instances: 3, profile, clientTimestamps });
      cluster.start(3);
      cluster.setMembers();
      cluster.advance(500);
      cluster.routed = [...cluster.instances];
      cluster.talk(1000);
      expect(cluster.broken.length).toBe(0);
      expect(cluster.sum("resetsSent")).toBe(0);
      expect(cluster.sum("handedToPeer")).toBeGreaterThan(300);
      cluster.connect(100);
      cluster.talk(500);
      expect(cluster.broken.length).toBe(0);
      expect(cluster.count(cluster.instances[3]!)).toBeGreaterThan(5);
    },
  );

  // The route is withdrawn; the instance keeps its connections and gets their segments from the others.
  test.each(CASES)(
    "break no connection when an instance drains, profile %s, timestamps: %s",
    (profile: "local" | "internet", timestamps: "with" | "without") => {
      const clientTimestamps = timestamps === "with";
      const cluster = talking({ instances: 4, profile, clientTimestamps });
      const [first, ...others] = cluster.instances;
      const had = cluster.count(first!);
      first!.group.membership.isServing = false;
      cluster.advance(300);
      cluster.connect(50);
      cluster.talk(500);
      cluster.routed = others;
      cluster.connect(50);
      cluster.talk(1000);
      expect(cluster.broken.length).toBe(0);
      expect(had).toBeGreaterThan(10);
      expect(cluster.count(first!)).toBe(had);
    },
  );

  // An instance is added, used and drained again. It has the connections of that epoch, but not older ones.
  test.each(CASES)(
    "break no connection when the instance drains that was added last, profile %s, timestamps: %s",
    (profile: "local" | "internet", timestamps: "with" | "without") => {
      const clientTimestamps = timestamps === "with";
      const cluster = talking({ instances: 3, profile, clientTimestamps }, 60);
      const added = cluster.start(3);
      cluster.setMembers();
      cluster.advance(500);
      cluster.routed = [...cluster.instances];
      cluster.connect(60);
      cluster.talk(300);
      added.group.membership.isServing = false;
      // The connections arrive before the other instances can know.
      cluster.connect(60);
      cluster.talk(500);
      cluster.routed = cluster.instances.slice(0, 3);
      cluster.talk(500);
      expect(cluster.broken.length).toBe(0);
      expect(cluster.count(added)).toBeGreaterThan(5);
    },
  );

  // Segments of its connections are answered with RST once the instance counts as dead; other connections are not
  // affected.
  test.each(CASES)(
    "break only the connections of an instance that dies, profile %s, timestamps: %s",
    (profile: "local" | "internet", timestamps: "with" | "without") => {
      const clientTimestamps = timestamps === "with";
      const cluster = talking({ instances: 4, profile, clientTimestamps });
      const [first] = cluster.instances;
      const had = cluster.count(first!);
      cluster.kill(first!);
      cluster.talk(DEAD_MS + 4000);
      expect(cluster.broken.length).toBe(had);
      expect(cluster.broken.map(({ tcb }) => tcb.error)).toEqual(
        new Array(had).fill("CONNECTION_RESET"),
      );
    },
  );

  // The process is not scheduled for some seconds, and the clients' retransmissions reach other instances. No
  // connection is reset.
  test.each(CASES)(
    "break no connection of an instance that stalls, profile %s, timestamps: %s",
    (profile: "local" | "internet", timestamps: "with" | "without") => {
      const clientTimestamps = timestamps === "with";
      const cluster = talking({ instances: 4, profile, clientTimestamps }, 40);
      const [first, ...others] = cluster.instances;
      const had = cluster.count(first!);
      cluster.routed = others;
      cluster.stall(first!, DEAD_MS + 1500);
      cluster.routed = cluster.instances;
      cluster.talk(2500);
      expect(cluster.broken.length).toBe(0);
      expect([had > 5, cluster.count(first!)]).toEqual([true, had]);
      expect(cluster.sum("resetsSent")).toBe(0);
    },
  );

  // The path over another instance is slow, and Linux sends a retransmission over another path, so that it arrives
  // first. PAWS drops the originals, which have no new data.
  test("drop segments that their retransmissions have overtaken", () => {
    const cluster = talking({ instances: 2, profile: "internet", clientTimestamps: true }, 20);
    const [first, second] = cluster.instances;
    const late: Uint8Array<ArrayBuffer>[] = [];
    cluster.onMessage = (bytes, from) => {
      if (from === second) late.push(bytes);
      return from === second ? [] : [bytes];
    };
    cluster.routed = [second!];
    cluster.say(50);
    cluster.advance(5);
    const segments = late.filter(({ length }) => length > MESSAGE_HEADER).length;
    expect(segments).toBeGreaterThan(3);
    cluster.routed = [first!];
    cluster.advance(1000);
    expect(cluster.broken.length).toBe(0);
    for (const bytes of late) first!.core.receiveFromPeer(bytes, bytes.length, cluster.now);
    expect(first!.core.stats.dropped("tcp-paws")).toBe(segments);
    cluster.onMessage = (bytes) => [bytes];
    cluster.talk(500);
    expect([cluster.broken.length, cluster.sum("resetsSent")]).toEqual([0, 0]);
  });

  // The control for the tests above: without messages most connections meet an instance that does not have them.
  test("are required to keep the connections", () => {
    const cluster = talking({ instances: 3, ...LOCAL });
    cluster.onMessage = () => [];
    cluster.start(3);
    cluster.setMembers();
    cluster.routed = [...cluster.instances];
    cluster.talk(SILENT_MS + 3000);
    expect(cluster.broken.length).toBeGreaterThan(50);
  });

  // A SYN that was duplicated, or retransmitted after a change, is answered by two instances. The client takes one
  // answer, and its ACK may reach the other instance.
  test.each([[0, 1], [1, 0]])(
    "complete a handshake that two instances have begun, ACK to %d",
    (later: number, first: number) => {
      const cluster = new Cluster({ instances: 2, ...LOCAL });
      const [one, other] = [cluster.instances[first]!, cluster.instances[later]!];
      cluster.route = (packet) => {
        cluster.deliver(packet, other);
        return one;
      };
      cluster.connect(20);
      cluster.advance(2);
      cluster.route = () => other;
      cluster.talk(1000);
      expect(cluster.broken.length).toBe(0);
    },
  );

  // The client was reset without the first instance noticing, and uses the port again with the second.
  test("hand on the segments of a new connection with an old one's ports", () => {
    const cluster = talking({ instances: 2, ...LOCAL }, 2);
    const [first, second] = cluster.instances;
    const had = cluster.count(first!) > 0 ? [first!, second!] : [second!, first!];
    cluster.routed = [had[0]!];
    const [old] = cluster.connect(1);
    cluster.talk(200);
    const before = cluster.count(had[0]!);
    cluster.routed = [];
    cluster.client.tcp.abort(old!.tcb);
    cluster.advance(5);
    cluster.conversations.splice(cluster.conversations.indexOf(old!), 1);
    cluster.routed = [had[1]!];
    const [again] = cluster.connect(1, "10.0.0.2", old!.tcb.localPort);
    cluster.talk(200);
    expect(cluster.count(had[0]!)).toBe(before);
    cluster.routed = [had[0]!];
    cluster.talk(500);
    expect([again!.tcb.state, again!.wrong, again!.received]).toEqual([
      "ESTABLISHED",
      0,
      again!.sent,
    ]);
  });

  // The client has forgotten the connection and answers with a RST, which has no timestamp and reaches another
  // instance.
  test("find the connections of clients that have forgotten them", () => {
    const cluster = talking({ instances: 3, ...LOCAL }, 30);
    const [first, ...others] = cluster.instances;
    const had = cluster.count(first!);
    expect(had).toBeGreaterThan(3);
    cluster.routed = [];
    for (const { tcb } of cluster.conversations) cluster.client.tcp.abort(tcb);
    cluster.conversations.length = 0;
    cluster.advance(5);
    expect(cluster.count(first!)).toBe(had);
    cluster.routed = others;
    for (const tcb of first!.core.tcp.connections()) {
      first!.core.tcp.send(tcb, new Uint8Array(10), 0, cluster.now);
    }
    cluster.advance(50);
    expect(cluster.count(first!)).toBe(0);
  });

  // Too little is quoted to identify the instance, or the timestamp identifies it.
  test.each([[28], [60]])("hand on ICMP errors that quote %d bytes", (quoted: number) => {
    const cluster = talking({ instances: 3, ...LOCAL }, 20);
    const [first, second] = cluster.instances;
    const tcb = first!.core.tcp.connections().find(({ remote }) => remote.isV4)!;
    const sent = first!.nextPacket(tcb, cluster.now);
    const ip = new IpHeader();
    expect(parseIp(sent, sent.length, ip)).toBeUndefined();
    ip.payloadEnd = quoted;
    const error = icmpError(ip, sent, { type: 3, code: 4, rest: 600 }, 64);
    // The error comes from a router.
    error.set([192, 0, 2, 1], 12);
    error.set([10, 0, 0, 2], 16);
    writeHeaderChecksum(error, 0, 20);
    const before = tcb.sendMss;
    cluster.deliver(error, second!);
    cluster.advance(5);
    expect(tcb.sendMss).toBeLessThan(before);
    expect(cluster.sum("receivedFromPeer")).toBe(quoted === 60 ? 1 : 2);
  });

  // The backlog is full; the instance that has sent the cookie is found by its mark.
  test("hand on the ACKs of SYN cookies", () => {
    const cluster = new Cluster({ instances: 2, ...LOCAL, backlog: 8 });
    const [first, second] = cluster.instances;
    cluster.routed = [first!];
    first!.isFrozen = true;
    cluster.connect(16);
    cluster.advance(2);
    cluster.routed = [second!];
    first!.isFrozen = false;
    cluster.talk(1000);
    cluster.advance(5000);
    expect(first!.core.stats.synCookiesSent).toBeGreaterThan(3);
    expect(first!.core.stats.synCookiesReturned).toBeGreaterThan(0);
    expect(cluster.broken.length).toBe(0);
  });

  // Key, time slots and marks are shared: another instance restores the state from the ACK.
  test("accept the SYN cookies of an instance that has died", () => {
    const cluster = new Cluster({ instances: 2, ...LOCAL, backlog: 8 });
    const [first, second] = cluster.instances;
    cluster.routed = [first!];
    first!.isFrozen = true;
    cluster.connect(16);
    cluster.advance(2);
    expect(first!.core.stats.synCookiesSent).toBeGreaterThan(3);
    cluster.kill(first!);
    cluster.routed = [second!];
    cluster.talk(DEAD_MS + 1000);
    cluster.advance(5000);
    expect(second!.core.stats.synCookiesReturned).toBeGreaterThan(3);
    const alive = cluster.conversations.filter((one) => !cluster.broken.includes(one));
    expect(alive.length).toBe(second!.core.stats.synCookiesReturned);
  });

  // A sender can make one instance hand on only a bounded number of segments; further ones are dropped without an
  // answer.
  test("bound the number of segments that they hand on in a flood of ACKs", () => {
    const cluster = new Cluster({ instances: 2, profile: "local", clientTimestamps: false });
    const [first] = cluster.instances;
    const [{ tcb }] = cluster.connect(1) as [Conversation];
    cluster.talk(100);
    const ack = cluster.lastSent(tcb);
    const before = first!.core.stats.handedToPeer;
    for (let i = 0; i < 100_000; i++) {
      writeU16(ack, 20, 1024 + (i & 0x7fff));
      first!.core.receive(ack, ack.length, "verified", 0, cluster.now);
    }
    const { stats } = first!.core;
    expect(stats.handedToPeer - before).toBeLessThanOrEqual(HANDED_PER_SECOND);
    expect(stats.dropped("peer-rate")).toBeGreaterThan(100_000 / 3);
    cluster.talk(500);
    expect(cluster.broken.length).toBe(0);
  });

  // A packet is never handed on more than three times, whatever the instances say of each other.
  test("end a packet after three instances", () => {
    const cluster = talking({ instances: 3, profile: "local", clientTimestamps: false }, 2);
    const ack = cluster.lastSent(cluster.conversations[0]!.tcb);
    writeU16(ack, 20, 7);
    const before = cluster.sum("handedToPeer");
    cluster.instances[0]!.core.receive(ack, ack.length, "verified", 0, cluster.now);
    cluster.advance(20);
    expect(cluster.sum("handedToPeer") - before).toBeLessThanOrEqual(3);
    const dropped = cluster.instances.map(({ core }) => core.stats.dropped("tcp-no-connection"));
    expect(dropped.reduce((sum, each) => sum + each)).toBe(1);
  });

  // Messages were recorded on the way and are sent again; each is accepted once.
  test("take each message once", () => {
    const cluster = talking({ instances: 3, ...LOCAL }, 40);
    cluster.onMessage = (bytes) => [bytes, bytes.slice(), bytes.slice()];
    cluster.start(3);
    cluster.setMembers();
    cluster.routed = [...cluster.instances];
    cluster.talk(1000);
    expect(cluster.broken.length).toBe(0);
    expect(cluster.sum("receivedFromPeer")).toBe(cluster.sum("handedToPeer"));
    const replayed = cluster.instances.map(({ core }) => core.stats.dropped("peer-replay"));
    expect(replayed.reduce((sum, each) => sum + each)).toBeGreaterThan(2 * 40);
  });
});
