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

/** A link that has announced itself, and what was sent since. */
function cable(options: ConstructorParameters<typeof Cable>[0] = v4): Cable {
  const made = new Cable(options);
  made.sent();
  return made;
}

describe("ARP", () => {
  // Who knew another station at this address learns better (RFC 5227 2.3).
  test("announces own addresses", () => {
    expect(new Cable(v4).sent()).toEqual([
      `${OWN_MAC} > ${EVERYBODY} ARP who has 10.0.0.1? tell 10.0.0.1 at ${OWN_MAC}`,
    ]);
  });

  // The asker is known from its question, so the packet that follows needs none.
  test("answers who asks for an own address, and knows the asker (RFC 826)", () => {
    const wire = cable();
    wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.2", target: "10.0.0.1" }));
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > ${PEER_MAC} ARP 10.0.0.1 is at ${OWN_MAC}, for 10.0.0.2 at ${PEER_MAC}`,
    ]);
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([packet]);
  });

  // A station that is about to take the address learns that it is taken.
  test("answers a probe and learns nothing of it (RFC 5227 2.1.1)", () => {
    const wire = cable();
    wire.hears(arp({ from: PEER_MAC, ip: "0.0.0.0", target: "10.0.0.1" }));
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > ${PEER_MAC} ARP 10.0.0.1 is at ${OWN_MAC}, for 0.0.0.0 at ${PEER_MAC}`,
    ]);
    expect(wire.states()).toEqual([]);
  });

  // The subnet is the stack's, but for the gateway and the exceptions; broadcasts are nobody's.
  test("answers for every address of a whole subnet", () => {
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

  // One question, and the packets go out in order when it is answered.
  test("asks for a neighbor and sends what has waited", () => {
    const wire = cable();
    for (const size of [10, 11, 12]) wire.link.send(udpPacket(toPeer, pattern(size)));
    expect(wire.sent()).toEqual([question]);
    wire.hears(answer);
    expect(wire.sent().map((line) => line.slice(-8))).toEqual(["38 bytes", "39 bytes", "40 bytes"]);
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([packet]);
    expect(wire.states()).toEqual(["10.0.0.2 REACHABLE"]);
  });

  // Three questions, a second apart; then what has waited is dropped, and the next packet asks anew.
  test("gives up a neighbor that does not answer (RFC 1122 2.3.2.1)", async () => {
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

  // After 30 s a neighbor is used for 5 s more before it is asked, itself and nobody else.
  test("asks again whether a neighbor is there (RFC 4861 7.3.3)", async () => {
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

  // Packets go where it was until it is forgotten; who comes next is asked for by a broadcast.
  test("forgets a neighbor that has gone", async () => {
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

  // What is behind a router goes to the router, whose address is asked for.
  test("sends through the gateway what is not on the link", () => {
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

  // Nobody leads there: the packet is dropped and counted.
  test("drops what is not on the link where there is no gateway", () => {
    const wire = cable();
    expect(wire.link.send(udpPacket({ from: "10.0.0.1", to: "192.0.2.9" }, pattern(10)))).toBe(
      false,
    );
    expect(wire.sent()).toEqual([]);
    expect(wire.link.stats()).toMatchObject({ "drop.no-route": 1 });
  });

  // No question: the address says where it goes (RFC 1112 6.4, RFC 894).
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

  // What was configured is never asked for and never changed.
  test("asks for no neighbor that was configured", async () => {
    const wire = cable({ ...v4, neighbors: { "10.0.0.2": PEER_MAC } });
    wire.hears(arp({ from: OTHER_MAC, ip: "10.0.0.2", target: "10.0.0.1" }));
    wire.sent();
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([packet]);
    await wire.clock.advance(3_600_000);
    expect([...wire.sent(), ...wire.states()]).toEqual(["10.0.0.2 PERMANENT"]);
  });

  // The stack's neighbors are no matter of its own.
  test("hands on packets and nothing else", () => {
    const wire = cable();
    expect(wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.2", target: "10.0.0.1" }))).toEqual([]);
    const came = wire.hears(
      packetFrame(udpPacket({ from: "10.0.0.2", to: "10.0.0.1" }, pattern(9))),
    );
    expect(came.map(udpPayload)).toEqual([pattern(9)]);
  });
});

describe("a neighbor that lies", () => {
  /** A link that has just been answered by the peer. */
  function acquainted(): Cable {
    const wire = cable();
    wire.link.send(udpPacket(toPeer, pattern(10)));
    wire.hears(answer);
    wire.sent();
    return wire;
  }

  const macOf = (wire: Cable) => wire.link.neighbors.map(({ mac }) => mac);
  const lie = { from: OTHER_MAC, ip: "10.0.0.2" };
  const lies = [
    ["an announcement", arp({ ...lie, target: "10.0.0.2" })],
    ["an answer nobody asked for", arp({ ...lie, op: 2, targetMac: OWN_MAC, target: "10.0.0.1" })],
    ["a question to another", arp({ ...lie, target: "10.0.0.9" })],
    ["a question", arp({ ...lie, target: "10.0.0.1" })],
  ] as const;

  // The one who is known is asked and answers: nothing changes.
  for (const [name, said] of lies) {
    test(`is not believed by ${name} while the true one answers`, async () => {
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

    // The station has moved: after a second without an answer the next packet finds it.
    test(`is believed after ${name} when the one before is gone`, async () => {
      const wire = acquainted();
      await wire.clock.advance(2000);
      wire.hears(said);
      await wire.clock.advance(1000);
      wire.sent();
      wire.link.send(udpPacket(toPeer, pattern(10)));
      expect(wire.sent()).toEqual([question]);
    });
  }

  // Nobody has asked, and no packet goes there: nothing is kept.
  test("is not remembered for what it says of itself unasked", () => {
    const wire = cable();
    for (const [, said] of lies.slice(0, 3)) wire.hears(said);
    expect([...wire.states(), ...wire.sent()]).toEqual([]);
    expect(wire.link.stats()).toMatchObject({ "drop.claim": 1 });
  });

  // An address beyond the gateway is no neighbor's, whoever says so.
  test("cannot get packets that go through the gateway", () => {
    const wire = cable({ ...v4, gateways: ["10.0.0.2"] });
    wire.hears(arp({ from: OTHER_MAC, ip: "192.0.2.9", target: "10.0.0.1" }));
    expect(wire.states()).toEqual([]);
  });

  // Each claim may cost one question a second, however many there are (RFC 1122 2.3.2.1).
  test("cannot make the link ask without end", async () => {
    const wire = acquainted();
    await wire.clock.advance(2000);
    for (let i = 0; i < 1000; i++) {
      wire.hears(lies[0][1]);
      wire.hears(answer);
    }
    expect(wire.sent()).toEqual([probe, rivalProbe]);
  });

  // The first makes the link ask the one it knows; those behind it do not answer that question.
  for (const [name, said] of lies) {
    test.each(["REACHABLE", "STALE", "DELAY", "PROBE"])(
      `is not believed by ${name} thrice in %s (RFC 4861 7.2.5)`,
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

  // A minute of lies, 100 a second; the true one answers each question, of which there is one a second.
  test("does not take the place of one that answers, however often it speaks", async () => {
    const wire = acquainted();
    let asked = 0;
    for (let i = 0; i < 6000; i++) {
      await wire.clock.advance(10);
      wire.hears(lies[i % lies.length]![1]);
      const questions = wire.sent().filter((line) => line === probe).length;
      for (let j = 0; j < questions; j++) wire.hears(answer);
      asked += questions;
      wire.link.send(udpPacket(toPeer, pattern(10)));
      expect(wire.sent()).toEqual([packet]);
    }
    expect(asked).toBeLessThanOrEqual(60);
  });

  // Its answer was the first to a question to everybody, and goes on as long as it likes: while both
  // answer the link asks both, and when it falls silent the true one has its place after 2 s at most.
  test("loses the place it was first in when it falls silent", async () => {
    const wire = cable();
    wire.link.send(udpPacket(toPeer, pattern(10)));
    wire.hears(lies[1][1]);
    wire.hears(answer);
    expect(macOf(wire)).toEqual([OTHER_MAC]);
    wire.sent();
    for (let i = 0; i < 100; i++) {
      await wire.clock.advance(100);
      const isAsked = wire.sent().includes(probe);
      if (isAsked && i % 2 === 0) wire.hears(answer);
      wire.hears(lies[1][1]);
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

  // Who has the same address is told, once in 10 s (RFC 5227 2.4).
  test("is told that an own address is taken", async () => {
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

  // More askers than places: who answered stays, strangers push out strangers.
  test("cannot push out who has answered", () => {
    const wire = cable({ addresses: ["10.0.0.1/8"], maxNeighbors: 8 });
    wire.link.send(udpPacket(toPeer, pattern(10)));
    wire.hears(answer);
    for (let i = 3; i < 200; i++) {
      wire.hears(arp({ from: OTHER_MAC, ip: `10.0.0.${i}`, target: "10.0.0.1" }));
    }
    expect(wire.states()).toHaveLength(8);
    expect(wire.states()).toContain("10.0.0.2 REACHABLE");
  });

  // A scan through the stack: 128 questions at a time, the rest is dropped and counted.
  test("cannot make the link ask for more than 128 at a time", () => {
    const wire = cable({ addresses: ["10.0.0.1/8"] });
    for (let i = 0; i < 300; i++) {
      const to = `10.1.${i >> 8}.${i & 255}`;
      wire.link.send(udpPacket({ from: "10.0.0.1", to }, pattern(10)));
    }
    expect(wire.sent()).toHaveLength(128);
    expect(wire.link.stats()).toMatchObject({ "questionsAsked": 128, "drop.neighbors": 172 });
  });

  // 128 addresses where nobody is; after 100 ms without an answer the oldest makes room.
  test("cannot keep the link from asking for another", async () => {
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

  // 16 packets of 60 KB for each of 100 neighbors would be 96 MB; 4 MiB wait.
  test("cannot make more than 4 MiB wait", () => {
    const wire = cable({ addresses: ["10.0.0.1/8"] });
    const payload = new Uint8Array(60_000);
    for (let i = 0; i < 100; i++) {
      const packet = udpPacket({ from: "10.0.0.1", to: `10.1.0.${i}` }, payload);
      for (let j = 0; j < 16; j++) wire.link.send(packet);
    }
    const fit = Math.floor(4 * 1024 * 1024 / 60_028);
    expect(wire.link.stats()).toMatchObject({ "drop.waiting": 1600 - fit });
  });

  // One count for each kind of frame that is of no use.
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
