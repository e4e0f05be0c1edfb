import { describe, expect, test } from "bun:test";
import { pattern, udpPacket } from "../../../support/packets.ts";
import {
  Cable,
  EVERYBODY,
  frame,
  type Neighborly,
  neighborly,
  OTHER_MAC,
  OWN_MAC,
  packetFrame,
  PEER_MAC,
} from "./wire.ts";

const v6 = { addresses: ["fd00::1/64"] };
const toPeer = { from: "fd00::1", to: "fd00::2" };
const ALL_NODES_MAC = "33:33:00:00:00:01";
const GROUP_MAC = "33:33:ff:00:00:02";
const OWN_GROUP_MAC = "33:33:ff:00:00:01";
const tail = `hops 255 option 1 ${OWN_MAC}`;
const question = `${OWN_MAC} > ${GROUP_MAC} fd00::1 > ff02::1:ff00:2 NS who has fd00::2? ${tail}`;
const probe = `${OWN_MAC} > ${PEER_MAC} fd00::1 > fd00::2 NS who has fd00::2? ${tail}`;
const rivalProbe = probe.replace(PEER_MAC, OTHER_MAC);
const packet = `${OWN_MAC} > ${PEER_MAC} fd00::1 > fd00::2 protocol 17, 58 bytes`;

const asking: Neighborly = {
  type: 135,
  to: OWN_GROUP_MAC,
  from: PEER_MAC,
  source: "fd00::2",
  destination: "ff02::1:ff00:1",
  target: "fd00::1",
  mac: PEER_MAC,
};
const answering: Neighborly = {
  type: 136,
  from: PEER_MAC,
  source: "fd00::2",
  destination: "fd00::1",
  target: "fd00::2",
  flags: 0x60,
  mac: PEER_MAC,
};

function cable(options: ConstructorParameters<typeof Cable>[0] = v6): Cable {
  const made = new Cable(options);
  made.sent();
  return made;
}

/** A link that has resolved the peer 2 s ago. */
async function acquainted(): Promise<Cable> {
  const wire = cable();
  wire.link.send(udpPacket(toPeer, pattern(10)));
  wire.hears(neighborly(answering));
  await wire.clock.advance(2000);
  wire.sent();
  return wire;
}

describe("neighbor discovery", () => {
  // Updates the caches of stations that had another station at this address.
  test("announces own addresses (RFC 4861 7.2.6)", () => {
    expect(new Cable(v6).sent()).toEqual([
      `${OWN_MAC} > ${ALL_NODES_MAC} fd00::1 > ff02::1 NA fd00::1 O hops 255 option 2 ${OWN_MAC}`,
    ]);
  });

  // The sender is learned from its solicitation, so the next packet needs no resolution.
  test("answers solicitations for an own address and learns the sender (RFC 4861 7.2.3)", () => {
    const wire = cable();
    wire.hears(neighborly(asking));
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > ${PEER_MAC} fd00::1 > fd00::2 NA fd00::1 SO hops 255 option 2 ${OWN_MAC}`,
    ]);
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([packet]);
  });

  // The kernel's unicast probes of a known neighbor have no link-layer address option.
  test("answers a probe without an option", () => {
    const wire = cable();
    wire.hears(neighborly({ ...asking, to: OWN_MAC, destination: "fd00::1", mac: undefined }));
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > ${PEER_MAC} fd00::1 > fd00::2 NA fd00::1 SO hops 255 option 2 ${OWN_MAC}`,
    ]);
    expect(wire.states()).toEqual([]);
  });

  // A station that probes the address learns that it is in use; the answer goes to all nodes.
  test("answers duplicate address detection (RFC 4861 7.2.4)", () => {
    const wire = cable();
    wire.hears(neighborly({ ...asking, source: "::", mac: undefined }));
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > ${ALL_NODES_MAC} fd00::1 > ff02::1 NA fd00::1 O hops 255 option 2 ${OWN_MAC}`,
    ]);
    expect(wire.states()).toEqual([]);
  });

  // The whole subnet is the link's own, except for excluded addresses.
  test("answers for every address of an own network", () => {
    const wire = cable({ addresses: ["fd09::/64"], exceptAddresses: ["fd09::2/64"] });
    const ask = (target: string) => {
      wire.hears(neighborly({ ...asking, source: "fd09::2", to: OWN_MAC, target }));
      return wire.sent().length;
    };
    expect(["fd09::1", "fd09::1234:5678:9abc", "fd09::2", "fd0a::1"].map(ask)).toEqual([
      1,
      1,
      0,
      0,
    ]);
  });

  // One solicitation to the solicited-node group; the queued packets are sent in order when it is
  // answered.
  test("resolves a neighbor and sends the queued packets (RFC 4861 7.2.2)", () => {
    const wire = cable();
    for (const size of [10, 11]) wire.link.send(udpPacket(toPeer, pattern(size)));
    expect(wire.sent()).toEqual([question]);
    wire.hears(neighborly(answering));
    expect(wire.sent().map((line) => line.slice(-8))).toEqual(["58 bytes", "59 bytes"]);
    expect(wire.states()).toEqual(["fd00::2 REACHABLE"]);
  });

  // 30 s after the answer it is probed by unicast; its answer may omit its link-layer address.
  test("probes a stale neighbor (RFC 4861 7.3.3)", async () => {
    const wire = await acquainted();
    await wire.clock.advance(30_000);
    wire.link.send(udpPacket(toPeer, pattern(10)));
    await wire.clock.advance(5000);
    expect([...wire.sent(), ...wire.states()]).toEqual([packet, probe, "fd00::2 PROBE"]);
    wire.hears(neighborly({ ...answering, mac: undefined, flags: 0x40 }));
    expect(wire.states()).toEqual(["fd00::2 REACHABLE"]);
  });

  // Link-local addresses are on the link, regardless of the subnets.
  test("resolves link-local neighbors", () => {
    const wire = cable();
    wire.link.send(udpPacket({ from: "fd00::1", to: "fe80::9" }, pattern(10)));
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > 33:33:ff:00:00:09 fd00::1 > ff02::1:ff00:9 NS who has fe80::9? ${tail}`,
    ]);
  });

  // The gateway's address is resolved instead of the destination's.
  test("sends packets to other networks through the gateway", () => {
    const wire = cable({ ...v6, gateways: ["fd00::2"] });
    wire.link.send(udpPacket({ from: "fd00::1", to: "2001:db8::9" }, pattern(10)));
    expect(wire.sent()).toEqual([question]);
    wire.hears(neighborly(answering));
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > ${PEER_MAC} fd00::1 > 2001:db8::9 protocol 17, 58 bytes`,
    ]);
  });

  // RFC 2464 7: the last 32 bits of the group.
  test("sends to a multicast group without resolution", () => {
    const wire = cable();
    wire.link.send(udpPacket({ from: "fd00::1", to: "ff02::fb" }, pattern(10)));
    expect(wire.sent()[0]).toContain("> 33:33:00:00:00:fb ");
  });

  // The probe went to the known station, so another cannot answer it, whatever its flags. It is
  // accepted once the known station has not answered three probes.
  test.each([0x40, 0x60])(
    "accepts the answer to a probe only from the known station, flags %i",
    async (flags) => {
      const wire = await acquainted();
      await wire.clock.advance(30_000);
      wire.link.send(udpPacket(toPeer, pattern(10)));
      await wire.clock.advance(5000);
      const other = neighborly({ ...answering, from: OTHER_MAC, mac: OTHER_MAC, flags });
      for (let i = 0; i < 3; i++) wire.hears(other);
      expect(wire.states()).toEqual(["fd00::2 PROBE"]);
      expect(wire.link.neighbors.map(({ mac }) => mac)).toEqual([PEER_MAC]);
      await wire.clock.advance(3000);
      expect(wire.states()).toEqual([]);
      wire.link.send(udpPacket(toPeer, pattern(10)));
      wire.hears(other);
      expect(wire.link.neighbors.map(({ mac }) => mac)).toEqual([OTHER_MAC]);
    },
  );

  // The first claim makes the link probe the known station; the others do not answer that probe.
  test("ignores three unsolicited answers (RFC 4861 7.2.5)", async () => {
    const wire = await acquainted();
    const lie = neighborly({ ...answering, from: OTHER_MAC, mac: OTHER_MAC });
    for (let i = 0; i < 3; i++) wire.hears(lie);
    expect(wire.sent()).toEqual([probe, rivalProbe]);
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([packet]);
    wire.hears(neighborly(answering));
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([packet]);
  });

  // An unsolicited advertisement only makes the link probe the known station.
  test("ignores unsolicited advertisements", async () => {
    const wire = await acquainted();
    const lie = { ...answering, from: OTHER_MAC, mac: OTHER_MAC, flags: 0x20 };
    wire.hears(neighborly({ ...lie, to: ALL_NODES_MAC, destination: "ff02::1" }));
    expect(wire.sent()).toEqual([probe, rivalProbe]);
    wire.hears(neighborly(answering));
    wire.link.send(udpPacket(toPeer, pattern(10)));
    expect(wire.sent()).toEqual([packet]);
  });
});

describe("an invalid message", () => {
  const short = (said: Uint8Array) => said.subarray(0, said.length - 8);
  const spoilt = (said: Uint8Array) => said.with(-1, said.at(-1)! ^ 1);
  const isolated = { ...asking, source: "::", mac: undefined };

  // RFC 4861 7.1, rule by rule: not answered, and nothing is learned.
  test.each([
    ["that came through a router", neighborly({ ...asking, hopLimit: 254 })],
    ["with a wrong checksum", spoilt(neighborly(asking))],
    ["shorter than its length", short(neighborly(asking))],
    ["about a group", neighborly({ ...asking, target: "ff02::1" })],
    ["with an option of length 0", neighborly({ ...asking, options: [1, 0, 0, 0, 0, 0, 0, 0] })],
    ["with a truncated option", neighborly({ ...asking, options: [1, 2, 0, 0, 0, 0, 0, 0] })],
    ["by a group", neighborly({ ...asking, mac: EVERYBODY })],
    ["from :: with a link-layer address", neighborly({ ...asking, source: "::" })],
    ["from :: to a unicast address", neighborly({ ...isolated, destination: "fd00::1" })],
    [
      "that is solicited, to a multicast address",
      neighborly({ ...answering, destination: "ff02::1", flags: 0x60 }),
    ],
  ])("is dropped: %s", (_, said) => {
    const wire = cable();
    wire.link.send(udpPacket(toPeer, pattern(10)));
    wire.sent();
    wire.hears(said);
    expect([...wire.sent(), ...wire.states()]).toEqual(["fd00::2 INCOMPLETE"]);
    expect(wire.link.stats()).toMatchObject({ "drop.neighbor-discovery": 1 });
  });

  // A unicast packet in a broadcast frame, and unsupported types.
  test("is counted by reason", () => {
    const wire = cable();
    const route = { from: "fd00::2", to: "fd00::1" };
    expect(wire.hears(packetFrame(udpPacket(route, pattern(9)), EVERYBODY))).toEqual([]);
    expect(wire.hears(frame(OWN_MAC, PEER_MAC, 0x88cc, pattern(40)))).toEqual([]);
    expect(wire.link.stats()).toMatchObject({ "drop.group": 1, "drop.type": 1 });
  });
});
