import { describe, expect, test } from "bun:test";
import { pattern, udpPacket, udpPayload } from "../../../support/packets.ts";
import {
  arp,
  Cable,
  EVERYBODY,
  NOBODY,
  OTHER_MAC,
  OWN_MAC,
  packetFrame,
  PEER_MAC,
} from "./wire.ts";

const v4 = { addresses: ["10.0.0.1/24"] };
const toPeer = { from: "10.0.0.1", to: "10.0.0.2" };
const question = `${OWN_MAC} > ${EVERYBODY} ARP who has 10.0.0.2? tell 10.0.0.1 at ${OWN_MAC}`;
const probe = `${OWN_MAC} > ${PEER_MAC} ARP who has 10.0.0.2? tell 10.0.0.1 at ${OWN_MAC}`;
const rivalProbe = probe.replace(PEER_MAC, OTHER_MAC);
const packet = `${OWN_MAC} > ${PEER_MAC} 10.0.0.1 > 10.0.0.2 protocol 17, 38 bytes`;
const answer = arp({
  op: 2,
  from: PEER_MAC,
  ip: "10.0.0.2",
  targetMac: OWN_MAC,
  target: "10.0.0.1",
});

/** A link that has announced its addresses; those frames are already consumed. */
function cable(options: ConstructorParameters<typeof Cable>[0] = v4): Cable {
  const made = new Cable(options);
  made.sent();
  return made;
}

describe("ARP", () => {
  // Updates the caches of stations that had another station at this address (RFC 5227 2.3).
  test("announces own addresses", () => {
    expect(new Cable(v4).sent()).toEqual([
      `${OWN_MAC} > ${EVERYBODY} ARP who has 10.0.0.1? tell 10.0.0.1 at ${OWN_MAC}`,
    ]);
  });

  // The requester is learned from its request, so the next packet needs no resolution.
  test("answers requests for an own address and learns the requester (RFC 826)", () => {
    const wire = cable();
    wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.2", target: "10.0.0.1" }));
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > ${PEER_MAC} ARP 10.0.0.1 is at ${OWN_MAC}, for 10.0.0.2 at ${PEER_MAC}`,
    ]);
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([packet]);
  });

  // A station that probes the address learns that it is in use.
  test("answers a probe without learning from it (RFC 5227 2.1.1)", () => {
    const wire = cable();
    wire.hears(arp({ from: PEER_MAC, ip: "0.0.0.0", target: "10.0.0.1" }));
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > ${PEER_MAC} ARP 10.0.0.1 is at ${OWN_MAC}, for 0.0.0.0 at ${PEER_MAC}`,
    ]);
    expect(wire.states()).toEqual([]);
  });

  // The whole subnet is the link's own, except for the gateway, excluded addresses and broadcasts.
  test("answers for every address of an own network", () => {
    const wire = cable({
      addresses: ["10.9.0.0/16"],
      exceptAddresses: ["10.9.0.1/16"],
      gateways: ["10.9.0.254"],
    });
    const ask = (target: string) => {
      wire.hears(arp({ from: PEER_MAC, ip: "10.9.0.1", target }));
      return wire.sent().length;
    };
    const asked = ["10.9.0.2", "10.9.77.255", "10.9.0.1", "10.9.0.254", "10.9.255.255", "10.8.0.2"];
    expect(asked.map(ask)).toEqual([1, 1, 0, 0, 0, 0]);
  });

  // One request; the queued packets are sent in order when it is answered.
  test("resolves a neighbor and sends the queued packets", () => {
    const wire = cable();
    for (const size of [10, 11, 12]) wire.link.send(udpPacket(toPeer, pattern(size)));
    expect(wire.sent()).toEqual([question]);
    wire.hears(answer);
    expect(wire.sent().map((line) => line.slice(-8))).toEqual(["38 bytes", "39 bytes", "40 bytes"]);
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([packet]);
    expect(wire.states()).toEqual(["10.0.0.2 REACHABLE"]);
  });

  // Three requests, a second apart; then the queued packets are dropped, and the next packet starts
  // again.
  test("gives up on a neighbor that does not answer (RFC 1122 2.3.2.1)", async () => {
    const wire = cable();
    for (let i = 0; i < 20; i++) wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([question]);
    await wire.clock.advance(999);
    expect(wire.sent()).toEqual([]);
    await wire.clock.advance(1001);
    expect(wire.sent()).toEqual([question, question]);
    await wire.clock.advance(1000);
    expect(wire.states()).toEqual([]);
    expect(wire.link.stats()).toMatchObject({ "drop.waiting": 4, "drop.unreachable": 16 });
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([question]);
  });

  // After 30 s a neighbor is used for 5 s more before it is probed by unicast.
  test("probes a stale neighbor (RFC 4861 7.3.3)", async () => {
    const wire = cable();
    wire.link.send(udpPacket(toPeer, pattern(10)));
    wire.hears(answer);
    await wire.clock.advance(31_000);
    wire.sent();
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect([...wire.sent(), ...wire.states()]).toEqual([packet, "10.0.0.2 DELAY"]);
    await wire.clock.advance(5000);
    expect([...wire.sent(), ...wire.states()]).toEqual([probe, "10.0.0.2 PROBE"]);
    wire.hears(answer);
    expect(wire.states()).toEqual(["10.0.0.2 REACHABLE"]);
  });

  // Packets are sent to the old address until the entry is removed; then a broadcast request
  // resolves the new one.
  test("removes a neighbor that does not answer probes", async () => {
    const wire = cable();
    wire.link.send(udpPacket(toPeer, pattern(10)));
    wire.hears(answer);
    await wire.clock.advance(31_000);
    wire.link.send(udpPacket(toPeer, pattern(10)));
    wire.sent();
    await wire.clock.advance(7999);
    expect(wire.sent()).toEqual([probe, probe, probe]);
    await wire.clock.advance(1);
    expect(wire.states()).toEqual([]);
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([question]);
  });

  // The gateway's address is resolved instead.
  test("sends packets to other networks through the gateway", () => {
    const wire = cable({ ...v4, gateways: ["10.0.0.2"] });
    wire.link.send(udpPacket({ from: "10.0.0.1", to: "192.0.2.9" }, pattern(10)));
    expect(wire.sent()).toEqual([question]);
    wire.hears(answer);
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > ${PEER_MAC} 10.0.0.1 > 192.0.2.9 protocol 17, 38 bytes`,
    ]);
    wire.link.send(udpPacket({ from: "10.0.0.1", to: "198.51.100.9" }, pattern(10)));
    expect(wire.sent().length).toBe(1);
  });

  // The packet is dropped and counted.
  test("drops packets to other networks without a gateway", () => {
    const wire = cable();
    expect(wire.link.send(udpPacket({ from: "10.0.0.1", to: "192.0.2.9" }, pattern(10)))).toBe(
      false,
    );
    expect(wire.sent()).toEqual([]);
    expect(wire.link.stats()).toMatchObject({ "drop.no-route": 1 });
  });

  // The MAC address follows from the group (RFC 1112 6.4, RFC 894), so nothing is resolved.
  test.each([
    ["224.0.0.251", "01:00:5e:00:00:fb"],
    ["239.255.1.2", "01:00:5e:7f:01:02"],
    ["255.255.255.255", EVERYBODY],
    ["10.0.0.255", EVERYBODY],
  ])("sends to the group %s at once", (to, mac) => {
    const wire = cable();
    wire.link.send(udpPacket({ from: "10.0.0.1", to }, pattern(10)));
    expect(wire.sent().map((line) => line.split(" ")[2])).toEqual([mac]);
  });

  // Permanent entries are neither resolved nor changed.
  test("does not resolve configured neighbors", async () => {
    const wire = cable({ ...v4, neighbors: { "10.0.0.2": PEER_MAC } });
    wire.hears(arp({ from: OTHER_MAC, ip: "10.0.0.2", target: "10.0.0.1" }));
    wire.sent();
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([packet]);
    await wire.clock.advance(3_600_000);
    expect([...wire.sent(), ...wire.states()]).toEqual(["10.0.0.2 PERMANENT"]);
  });

  // ARP is handled by the link.
  test("passes only IP packets to the stack", () => {
    const wire = cable();
    expect(wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.2", target: "10.0.0.1" }))).toEqual([]);
    const came = wire.hears(
      packetFrame(udpPacket({ from: "10.0.0.2", to: "10.0.0.1" }, pattern(9))),
    );
    expect(came.map(udpPayload)).toEqual([pattern(9)]);
  });
});

describe("a station that spoofs ARP", () => {
  /** A link that has just resolved the peer. */
  function acquainted(): Cable {
    const wire = cable();
    wire.link.send(udpPacket(toPeer, pattern(10)));
    wire.hears(answer);
    wire.sent();
    return wire;
  }

  const macOf = (wire: Cable) => wire.link.neighbors.map(({ mac }) => mac);
  const forged = { from: OTHER_MAC, ip: "10.0.0.2" };
  const claims = [
    ["an announcement", arp({ ...forged, target: "10.0.0.2" })],
    ["an unsolicited answer", arp({ ...forged, op: 2, targetMac: OWN_MAC, target: "10.0.0.1" })],
    ["a request to another station", arp({ ...forged, target: "10.0.0.9" })],
    ["a question", arp({ ...forged, target: "10.0.0.1" })],
  ] as const;

  // The known station is probed and answers: nothing changes.
  for (const [name, said] of claims) {
    test(`has no effect by ${name} while the known station answers`, async () => {
      const wire = acquainted();
      await wire.clock.advance(2000);
      wire.hears(said);
      expect(wire.sent().filter((line) => line.includes("who has"))).toEqual([
        probe,
        rivalProbe,
      ]);
      wire.hears(answer);
      await wire.clock.advance(10_000);
      expect(macOf(wire)).toEqual([PEER_MAC]);
      expect(wire.states()).toEqual(["10.0.0.2 REACHABLE"]);
    });

    // The station has moved: after a second without an answer, the next packet resolves it again.
    test(`is accepted after ${name} if the known station is gone`, async () => {
      const wire = acquainted();
      await wire.clock.advance(2000);
      wire.hears(said);
      await wire.clock.advance(1000);
      wire.sent();
      wire.link.send(udpPacket(toPeer, pattern(10)));
      expect(wire.sent()).toEqual([question]);
    });
  }

  // There was no request, and no packet is queued for it: no entry is created.
  test("gets no cache entry by unsolicited messages", () => {
    const wire = cable();
    for (const [, said] of claims.slice(0, 3)) wire.hears(said);
    expect([...wire.states(), ...wire.sent()]).toEqual([]);
    expect(wire.link.stats()).toMatchObject({ "drop.claim": 1 });
  });

  // An address beyond the gateway cannot be a neighbor's.
  test("cannot divert packets that go through the gateway", () => {
    const wire = cable({ ...v4, gateways: ["10.0.0.2"] });
    wire.hears(arp({ from: OTHER_MAC, ip: "192.0.2.9", target: "10.0.0.1" }));
    expect(wire.states()).toEqual([]);
  });

  // Any number of claims cause at most one request a second (RFC 1122 2.3.2.1).
  test("cannot make the link flood requests", async () => {
    const wire = acquainted();
    await wire.clock.advance(2000);
    for (let i = 0; i < 1000; i++) {
      wire.hears(claims[0][1]);
      wire.hears(answer);
    }
    expect(wire.sent()).toEqual([probe, rivalProbe]);
  });

  // The first claim makes the link probe the known station; the later ones do not answer that
  // probe.
  for (const [name, said] of claims) {
    test.each(["REACHABLE", "STALE", "DELAY", "PROBE"])(
      `has no effect by ${name} three times in %s (RFC 4861 7.2.5)`,
      async (state) => {
        const wire = acquainted();
        await wire.clock.advance(state === "REACHABLE" ? 2000 : 31_000);
        if (state === "DELAY" || state === "PROBE") wire.link.send(udpPacket(toPeer, pattern(10)));
        if (state === "PROBE") await wire.clock.advance(5000);
        for (let i = 0; i < 3; i++) wire.hears(said);
        wire.sent();
        wire.link.send(udpPacket(toPeer, pattern(10)));
        expect(wire.sent()).toEqual([packet]);
        wire.hears(answer);
        await wire.clock.advance(1000);
        wire.hears(answer);
        expect(macOf(wire)).toEqual([PEER_MAC]);
        wire.sent();
        wire.link.send(udpPacket(toPeer, pattern(10)));
        expect(wire.sent()).toEqual([packet]);
      },
    );
  }

  // A minute of claims, 100 a second; the known station answers each probe, of which there is one a
  // second.
  test("does not replace a station that answers, at any rate of claims", async () => {
    const wire = acquainted();
    let asked = 0;
    for (let i = 0; i < 6000; i++) {
      await wire.clock.advance(10);
      wire.hears(claims[i % claims.length]![1]);
      const questions = wire.sent().filter((line) => line === probe).length;
      for (let j = 0; j < questions; j++) wire.hears(answer);
      asked += questions;
      wire.link.send(udpPacket(toPeer, pattern(10)));
      expect(wire.sent()).toEqual([packet]);
    }
    expect(asked).toBeLessThanOrEqual(60);
  });

  // Its answer to a broadcast request came first. While both stations answer, the link probes both;
  // when it falls silent, the real station replaces it within 2 s.
  test("is replaced when it falls silent", async () => {
    const wire = cable();
    wire.link.send(udpPacket(toPeer, pattern(10)));
    wire.hears(claims[1][1]);
    wire.hears(answer);
    expect(macOf(wire)).toEqual([OTHER_MAC]);
    wire.sent();
    for (let i = 0; i < 100; i++) {
      await wire.clock.advance(100);
      const isAsked = wire.sent().includes(probe);
      if (isAsked && i % 2 === 0) wire.hears(answer);
      wire.hears(claims[1][1]);
      if (isAsked && i % 2 === 1) wire.hears(answer);
    }
    for (let i = 0; i < 20; i++) {
      await wire.clock.advance(100);
      if (wire.sent().includes(probe)) wire.hears(answer);
    }
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([question]);
    wire.hears(answer);
    expect(wire.sent()).toEqual([packet]);
  });

  // The link defends an own address, once in 10 s (RFC 5227 2.4).
  test("cannot take over an own address", async () => {
    const wire = cable();
    const conflict = arp({ from: OTHER_MAC, ip: "10.0.0.1", target: "10.0.0.1" });
    const defence = `${OWN_MAC} > ${EVERYBODY} ARP who has 10.0.0.1? tell 10.0.0.1 at ${OWN_MAC}`;
    for (let i = 0; i < 100; i++) wire.hears(conflict);
    expect(wire.sent()).toEqual([defence]);
    await wire.clock.advance(10_000);
    wire.hears(conflict);
    expect([...wire.sent(), ...wire.states()]).toEqual([defence]);
    expect(wire.link.stats()).toMatchObject({ "drop.conflict": 101 });
  });

  // More requesters than entries: neighbors that have answered stay, and unanswered entries evict each
  // other.
  test("cannot evict neighbors that have answered", () => {
    const wire = cable({ addresses: ["10.0.0.1/8"], maxNeighbors: 8 });
    wire.link.send(udpPacket(toPeer, pattern(10)));
    wire.hears(answer);
    for (let i = 3; i < 200; i++) {
      wire.hears(arp({ from: OTHER_MAC, ip: `10.0.0.${i}`, target: "10.0.0.1" }));
    }
    expect(wire.states()).toHaveLength(8);
    expect(wire.states()).toContain("10.0.0.2 REACHABLE");
  });

  // An address scan through the stack: 128 unresolved neighbors at a time; other packets are
  // dropped and counted.
  test("cannot make the link resolve more than 128 neighbors at a time", () => {
    const wire = cable({ addresses: ["10.0.0.1/8"] });
    for (let i = 0; i < 300; i++) {
      const to = `10.1.${i >> 8}.${i & 255}`;
      wire.link.send(udpPacket({ from: "10.0.0.1", to }, pattern(10)));
    }
    expect(wire.sent()).toHaveLength(128);
    expect(wire.link.stats()).toMatchObject({ "requestsSent": 128, "drop.neighbors": 172 });
  });

  // 128 unused addresses; after 100 ms without an answer the oldest is evicted.
  test("cannot block the resolution of other neighbors", async () => {
    const wire = cable({ addresses: ["10.0.0.1/8"] });
    for (let i = 0; i < 128; i++) {
      wire.link.send(udpPacket({ from: "10.0.0.1", to: `10.1.0.${i}` }, pattern(10)));
    }
    wire.sent();
    await wire.clock.advance(99);
    expect(wire.link.send(udpPacket(toPeer, pattern(10)))).toBe(false);
    await wire.clock.advance(1);
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([question]);
    wire.hears(answer);
    expect(wire.sent()).toEqual([packet]);
    expect(wire.states()).not.toContain("10.1.0.0 INCOMPLETE");
    expect(wire.link.stats()).toMatchObject({ "drop.waiting": 1, "drop.neighbors": 1 });
  });

  // 16 packets of 60 KB for each of 100 neighbors would be 96 MB; 4 MiB are queued.
  test("cannot make the link queue more than 4 MiB", () => {
    const wire = cable({ addresses: ["10.0.0.1/8"] });
    const payload = new Uint8Array(60_000);
    for (let i = 0; i < 100; i++) {
      const packet = udpPacket({ from: "10.0.0.1", to: `10.1.0.${i}` }, payload);
      for (let j = 0; j < 16; j++) wire.link.send(packet);
    }
    const fit = Math.floor(4 * 1024 * 1024 / 60_028);
    expect(wire.link.stats()).toMatchObject({ "drop.waiting": 1600 - fit });
  });

  // Each kind of invalid frame has its own counter.
  test.each([
    ["drop.station", arp({ to: OTHER_MAC, from: PEER_MAC, ip: "10.0.0.2", target: "10.0.0.1" })],
    ["drop.own", arp({ from: OWN_MAC, ip: "10.0.0.2", target: "10.0.0.1" })],
    ["drop.arp", arp({ from: EVERYBODY, ip: "10.0.0.2", target: "10.0.0.1" })],
    ["drop.arp", arp({ from: NOBODY, ip: "10.0.0.2", target: "10.0.0.1" })],
    ["drop.arp", arp({ from: PEER_MAC, ip: "224.0.0.1", target: "10.0.0.1" })],
    ["drop.arp", arp({ from: PEER_MAC, ip: "10.0.0.2", target: "10.0.0.1" }).subarray(0, 41)],
    [
      "drop.group",
      packetFrame(udpPacket({ from: "10.0.0.2", to: "10.0.0.1" }, pattern(9)), EVERYBODY),
    ],
  ])("is counted under %s", (name, said) => {
    const wire = cable();
    expect(wire.hears(said)).toEqual([]);
    expect(wire.sent()).toEqual([]);
    expect(wire.link.stats()).toMatchObject({ [name]: 1 });
  });
});
