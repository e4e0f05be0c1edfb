import { describe, expect, test } from "bun:test";
import type { EthernetOptions } from "../../../../adapters/links/ethernet/mod.ts";
import { ethernet } from "../../../../adapters/links/ethernet/mod.ts";
import { framePortPair } from "../../../../adapters/links/memory.ts";
import { seededRandom } from "../../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import type { Logger } from "../../../../core/api/environment.ts";
import { createStack } from "../../../../core/api/stack.ts";
import { echo } from "../../../../plugins/echo.ts";
import { pattern, udpPacket } from "../../../support/packets.ts";
import {
  arp,
  Cable,
  EVERYBODY,
  neighborly,
  OTHER_MAC,
  OWN_MAC,
  packetFrame,
  PEER_MAC,
} from "./wire.ts";

const V4 = "10.0.0.1";
const V6 = "fd00::1";
const GROUP = "ff02::1:ff00:1";
const GROUP_MAC = "33:33:ff:00:00:01";

/** A link that probes, with its log lines. */
function probing(options: Partial<EthernetOptions>): { wire: Cable; lines: string[] } {
  const lines: string[] = [];
  const keep = (message: string) => void lines.push(message);
  const log: Logger = { debug() {}, info() {}, warn: keep, error: keep };
  const wire = new Cable({ probe: true, log, random: seededRandom(1), ...options });
  return { wire, lines };
}

const v4 = { addresses: [`${V4}/24`] };
const v6 = { addresses: [`${V6}/64`] };

/** Times and contents of the frames sent. */
async function record(wire: Cable, ms: number): Promise<[at: number, line: string][]> {
  const sent: [number, string][] = [];
  for (let at = 0; at <= ms; at += 10) {
    sent.push(...wire.sent().map((line): [number, string] => [wire.clock.now(), line]));
    await wire.clock.advance(10);
  }
  return sent;
}

const probeOf = (address: string) =>
  `${OWN_MAC} > ${EVERYBODY} ARP who has ${address}? tell 0.0.0.0 at ${OWN_MAC}`;
const announcement = `${OWN_MAC} > ${EVERYBODY} ARP who has ${V4}? tell ${V4} at ${OWN_MAC}`;

describe("an IPv4 address", () => {
  // Three probes, the first within a second, the others one to two seconds apart. Two seconds later
  // the address is used and announced twice.
  test.each([1, 2, 3, 4, 5])(
    "is probed before it is used (RFC 5227 2.1): seed %i",
    async (seed) => {
      const { wire, lines } = probing({ ...v4, random: seededRandom(seed) });
      const sent = await record(wire, 12_000);
      expect(sent.map(([, line]) => line)).toEqual([
        ...new Array(3).fill(probeOf(V4)),
        announcement,
        announcement,
      ]);
      const at = sent.map(([at]) => at);
      const gaps = at.map((each, i) => each - (at[i - 1] ?? 0));
      expect(gaps[0]).toBeLessThan(1020);
      for (const gap of gaps.slice(1, 3)) {
        expect(gap).toBeGreaterThan(980);
        expect(gap).toBeLessThan(2020);
      }
      for (const gap of gaps.slice(3)) expect(Math.abs(gap - 2000)).toBeLessThan(20);
      expect(await wire.link.probed()).toEqual([]);
      expect(lines).toEqual([]);
      expect(wire.clock.pending).toBe(0);
    },
  );

  // Requests for it are not answered, and packets to it are dropped.
  test("is not used while it is probed (RFC 5227 2.1.1)", async () => {
    const { wire } = probing(v4);
    await wire.clock.advance(1500);
    wire.sent();
    wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.2", target: V4 }));
    expect(wire.sent()).toEqual([]);
    expect(wire.hears(packetFrame(udpPacket({ from: "10.0.0.2", to: V4 }, pattern(8))))).toEqual(
      [],
    );
    expect(wire.link.send(udpPacket({ from: V4, to: "10.0.0.2" }, pattern(8)))).toBe(false);
    expect(wire.link.stats()).toMatchObject({ "drop.tentative": 2 });
    await wire.clock.advance(10_000);
    wire.sent();
    wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.2", target: V4 }));
    expect(wire.sent()).toHaveLength(1);
    expect(wire.hears(packetFrame(udpPacket({ from: "10.0.0.2", to: V4 }, pattern(8)))))
      .toHaveLength(1);
    expect(wire.link.send(udpPacket({ from: V4, to: "10.0.0.2" }, pattern(8)))).toBe(true);
  });

  // Each indicates a conflict: a reply, a request from its owner, an announcement, or a probe from
  // another station.
  test.each([
    ["an answer", arp({ op: 2, from: PEER_MAC, ip: V4, targetMac: OWN_MAC, target: "0.0.0.0" })],
    ["a request from its owner", arp({ from: PEER_MAC, ip: V4, target: "10.0.0.9" })],
    ["an announcement", arp({ from: PEER_MAC, ip: V4, target: V4 })],
    ["another probe", arp({ from: PEER_MAC, ip: "0.0.0.0", target: V4 })],
  ])(
    "that another station uses, as %s shows, is not used (RFC 5227 2.1.1)",
    async (_name, frame) => {
      const { wire, lines } = probing(v4);
      await wire.clock.advance(1500);
      wire.sent();
      wire.hears(frame);
      expect(await wire.link.probed()).toEqual([{ address: V4, mac: PEER_MAC }]);
      expect(lines).toEqual([
        expect.stringMatching(
          /^10\.0\.0\.1 is in use by the station 02:00:00:00:00:02 on .+, and is not used here$/,
        ),
      ]);
      wire.hears(frame);
      await wire.clock.advance(60_000);
      wire.hears(arp({ from: OTHER_MAC, ip: "10.0.0.2", target: V4 }));
      expect(wire.sent()).toEqual([]);
      expect(wire.link.send(udpPacket({ from: V4, to: "10.0.0.2" }, pattern(8)))).toBe(false);
      expect(wire.link.stats()).toMatchObject({ "drop.duplicate": 1, "drop.conflict": 1 });
      expect(lines).toHaveLength(1);
      // If removed and added again, it is probed again.
      wire.link.removeAddress(V4);
      wire.link.addAddress(`${V4}/24`);
      await wire.clock.advance(10_000);
      expect(await wire.link.probed()).toEqual([]);
      expect(wire.sent()).toHaveLength(5);
    },
  );

  // Requests between other stations have no effect.
  test("is not a duplicate because of a request for it", async () => {
    const { wire, lines } = probing(v4);
    await wire.clock.advance(1500);
    wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.2", target: V4 }));
    wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.2", target: "10.0.0.9" }));
    wire.hears(arp({ from: PEER_MAC, ip: "0.0.0.0", target: "10.0.0.9" }));
    wire.hears(arp({ op: 2, from: PEER_MAC, ip: "10.0.0.2", target: V4 }));
    await wire.clock.advance(10_000);
    expect(await wire.link.probed()).toEqual([]);
    expect(lines).toEqual([]);
  });
});

describe("an IPv6 address", () => {
  const probe = neighborly({
    type: 135,
    to: GROUP_MAC,
    from: PEER_MAC,
    source: "::",
    destination: GROUP,
    target: V6,
  });
  const advertisement = neighborly({
    type: 136,
    to: "33:33:00:00:00:01",
    from: PEER_MAC,
    source: V6,
    destination: "ff02::1",
    target: V6,
    flags: 0x20,
    mac: PEER_MAC,
  });

  // One solicitation from the unspecified address within a second, without a link-layer address; a
  // second later the address is used.
  test("is probed before it is used (RFC 4862 5.4.2)", async () => {
    const { wire, lines } = probing(v6);
    const sent = await record(wire, 5000);
    expect(sent.map(([, line]) => line)).toEqual([
      `${OWN_MAC} > ${GROUP_MAC} :: > ${GROUP} NS who has ${V6}? hops 255`,
      `${OWN_MAC} > 33:33:00:00:00:01 ${V6} > ff02::1 NA ${V6} O hops 255 option 2 ${OWN_MAC}`,
    ]);
    expect(sent[0]![0]).toBeLessThan(1020);
    expect(Math.abs(sent[1]![0] - sent[0]![0] - 1000)).toBeLessThan(20);
    expect(await wire.link.probed()).toEqual([]);
    expect(lines).toEqual([]);
  });

  // An advertisement, and another station's probe.
  test.each([["an advertisement", advertisement], ["another probe", probe]])(
    "with a conflict by %s is not used (RFC 4862 5.4.3, 5.4.4)",
    async (_name, frame) => {
      const { wire, lines } = probing(v6);
      await wire.clock.advance(1100);
      wire.sent();
      wire.hears(frame);
      expect(await wire.link.probed()).toEqual([{ address: V6, mac: PEER_MAC }]);
      expect(lines).toHaveLength(1);
      await wire.clock.advance(60_000);
      wire.hears(probe);
      expect(wire.sent()).toEqual([]);
      expect(wire.hears(packetFrame(udpPacket({ from: "fd00::2", to: V6 }, pattern(8)))))
        .toEqual([]);
      expect(wire.link.stats()).toMatchObject({ "drop.duplicate": 1 });
    },
  );

  // A solicitation from a unicast address is neither answered nor a conflict.
  test("is not used while it is probed (RFC 4862 5.4)", async () => {
    const { wire, lines } = probing(v6);
    const ask = () =>
      wire.hears(neighborly({
        type: 135,
        from: PEER_MAC,
        source: "fd00::2",
        destination: GROUP,
        target: V6,
        mac: PEER_MAC,
      }));
    await wire.clock.advance(1000);
    wire.sent();
    ask();
    expect(wire.sent()).toEqual([]);
    await wire.clock.advance(2000);
    wire.sent();
    ask();
    expect(wire.sent()).toHaveLength(1);
    expect(lines).toEqual([]);
  });
});

describe("addresses", () => {
  // A network of the link's own would need a probe for each address, so it is used at once.
  test("of an own network are not probed", async () => {
    const { wire } = probing({ addresses: ["10.9.0.0/16", "fd09::/64", "10.9.0.7/16"] });
    expect((await record(wire, 12_000)).map(([, line]) => line)).toEqual([
      ...new Array(3).fill(probeOf("10.9.0.7")),
      ...new Array(2).fill(
        `${OWN_MAC} > ${EVERYBODY} ARP who has 10.9.0.7? tell 10.9.0.7 at ${OWN_MAC}`,
      ),
    ]);
    const { wire: other } = probing({ addresses: ["10.9.0.0/16", "10.9.0.7/16"] });
    other.hears(arp({ from: PEER_MAC, ip: "10.9.0.2", target: "10.9.1.1" }));
    expect(other.sent()).toHaveLength(1);
    // A single own address is probed even inside an own network.
    other.hears(arp({ from: PEER_MAC, ip: "10.9.0.2", target: "10.9.0.7" }));
    expect(other.sent()).toEqual([]);
  });

  // One is a duplicate; the others are used.
  test("are probed independently", async () => {
    const { wire, lines } = probing({ addresses: [`${V4}/24`, "10.0.0.5/24", `${V6}/64`] });
    await wire.clock.advance(1500);
    wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.5", target: "10.0.0.9" }));
    expect(await wire.clock.runUntil(wire.link.probed())).toEqual([
      { address: "10.0.0.5", mac: PEER_MAC },
    ]);
    expect(lines).toHaveLength(1);
    await wire.clock.advance(3000);
    wire.sent();
    for (const target of [V4, "10.0.0.5"]) {
      wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.2", target }));
    }
    expect(wire.sent()).toHaveLength(1);
  });

  // No other station can have an address on a cable with two ends.
  test("are not probed with probe: false", () => {
    const { wire } = probing({ ...v4, probe: false });
    expect(wire.sent()).toEqual([announcement]);
    wire.hears(arp({ from: PEER_MAC, ip: "10.0.0.2", target: V4 }));
    expect(wire.sent()).toHaveLength(1);
  });

  // No timer is left, and `probed()` resolves.
  test("are no longer probed once the link is closed", async () => {
    const { wire } = probing(v4);
    await wire.link.close();
    expect(await wire.link.probed()).toEqual([]);
    expect(wire.clock.pending).toBe(0);
  });
});

describe("two stacks with one address", () => {
  // Both probe at the same time: at most one of them uses it.
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "never both use it (RFC 5227 2.1.1): seed %i",
    async (seed) => {
      const clock = new VirtualClock();
      const addresses = [`${V4}/24`, `${V6}/64`];
      const links = framePortPair().map((port, i) =>
        ethernet(port, {
          addresses,
          clock,
          random: seededRandom(seed * 2 + i),
          mac: i === 0 ? OWN_MAC : PEER_MAC,
        })
      );
      const stacks = links.map((link) => createStack({ link, addresses, clock }));
      const found = await clock.runUntil(Promise.all(links.map((link) => link.probed())));
      const refused = new Set(found.flat().map(({ address }) => address));
      expect([...refused].sort()).toEqual([V4, V6]);
      for (const stack of stacks) await stack.close();
      expect(clock.pending).toBe(0);
    },
  );

  // The existing owner keeps it; the newcomer detects the conflict, and its connections fail at
  // once.
  test("leave it to the existing owner", async () => {
    const clock = new VirtualClock();
    const [here, there] = framePortPair();
    const owner = ethernet(here, { ...v4, clock, mac: OWN_MAC });
    const server = createStack({ link: owner, ...v4, clock });
    server.use(7, echo());
    expect(await clock.runUntil(owner.probed())).toEqual([]);
    const addresses = [`${V4}/24`, "10.0.0.3/24"];
    const comer = ethernet(there, { addresses, clock, mac: PEER_MAC });
    const client = createStack({ link: comer, addresses, clock });
    expect(await clock.runUntil(comer.probed())).toEqual([{ address: V4, mac: OWN_MAC }]);
    const failed = client.connect({ hostname: "10.0.0.9", port: 7 }).opened
      .catch(({ code }: { code: string }) => code);
    expect(await clock.runUntil(failed)).toBe("UNREACHABLE");
    await client.close();
    await server.close();
  });
});

describe("the defence of an address", () => {
  // Another station claims it: the link announces it, and logs the conflict, once in 10 s.
  test("is rate-limited (RFC 5227 2.4)", async () => {
    const { wire, lines } = probing({ ...v4, probe: false });
    wire.sent();
    const claim = arp({ from: PEER_MAC, ip: V4, target: "10.0.0.9" });
    for (let i = 0; i < 100; i++) wire.hears(claim);
    expect(wire.sent()).toEqual([announcement]);
    expect(lines).toEqual([
      `${V4} is in use by the station ${PEER_MAC} too; it was announced again`,
    ]);
    await wire.clock.advance(9999);
    wire.hears(claim);
    expect(wire.sent()).toEqual([]);
    await wire.clock.advance(1);
    wire.hears(claim);
    expect(wire.sent()).toEqual([announcement]);
    expect(wire.link.stats()).toMatchObject({ "drop.conflict": 102 });
  });

  // Each address of a network is defended, up to a common limit.
  test("is bounded for a whole network", async () => {
    const { wire } = probing({ addresses: ["10.9.0.0/16"] });
    for (let i = 0; i < 1000; i++) {
      const ip = `10.9.${4 + (i >> 8)}.${i & 255}`;
      wire.hears(arp({ from: PEER_MAC, ip, target: "10.9.0.1" }));
    }
    expect(wire.sent()).toHaveLength(256);
    await wire.clock.advance(10_000);
    wire.hears(arp({ from: PEER_MAC, ip: "10.9.4.0", target: "10.9.0.1" }));
    expect(wire.sent()).toHaveLength(1);
  });
});
