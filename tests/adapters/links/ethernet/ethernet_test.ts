import { describe, expect, test } from "bun:test";
import { ethernet, type EthernetOptions } from "../../../../adapters/links/ethernet/mod.ts";
import { framePortPair } from "../../../../adapters/links/memory.ts";
import { seededRandom } from "../../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../../core/api/stack.ts";
import { type Link, PacketBatch } from "../../../../core/stack/link.ts";
import { echo } from "../../../../plugins/echo.ts";
import { linkConformance } from "../link_conformance.ts";
import { Cable, frame, OWN_MAC, PEER_MAC } from "./wire.ts";

const routes = [{ from: "10.0.0.1", to: "10.0.0.2" }, { from: "fd00::1", to: "fd00::2" }];
const left = { addresses: ["10.0.0.1/24", "fd00::1/64"], mac: OWN_MAC, probe: false };
const right = { addresses: ["10.0.0.2/24", "fd00::2/64"], mac: PEER_MAC, probe: false };
const features = { maxSuperPacket: 65_535, checksumOffload: true };

/** The suite receives at one end only, so the stations cannot resolve each other. */
function join(options: typeof features | Record<string, never>): { left: Link; right: Link } {
  const [near, far] = framePortPair(options);
  const neighborsOf = (other: EthernetOptions, mac: string) => ({
    neighbors: Object.fromEntries(other.addresses.map((each) => [each.split("/")[0]!, mac])),
  });
  const ends = {
    left: ethernet(near, { ...left, ...neighborsOf(right, PEER_MAC) }),
    right: ethernet(far, { ...right, ...neighborsOf(left, OWN_MAC) }),
  };
  return ends;
}

linkConformance("Ethernet", () => Promise.resolve({ ...join({}), routes }));
linkConformance("Ethernet with offload", () => Promise.resolve({ ...join(features), routes }));

describe("ethernet", () => {
  // Both caches are empty: the connection's first packets wait for resolution.
  test.each(["10.0.0.1:7", "[fd00::1]:7"])("carries a connection to %s", async (address) => {
    const clock = new VirtualClock();
    const [near, far] = framePortPair();
    const server = createStack({
      link: ethernet(near, { ...left, clock }),
      addresses: left.addresses,
      clock,
    });
    server.use(7, echo());
    const client = createStack({
      link: ethernet(far, { ...right, clock }),
      addresses: right.addresses,
      clock,
    });
    const socket = client.connect(address);
    await clock.runUntil(socket.opened);
    await socket.write(new TextEncoder().encode("ahoy"));
    const bytes = new Uint8Array(10);
    expect(await clock.runUntil(socket.read(bytes))).toBe(4);
    expect(client.stats()).toMatchObject({ "link.requestsSent": 1 });
    await client.close();
    await server.close();
    expect(clock.pending).toBe(0);
  });

  // Own addresses can change while the link is in use, and are announced.
  test("adds and removes addresses", () => {
    const wire = new Cable({ addresses: ["10.0.0.1/24"] });
    wire.sent();
    wire.link.addAddress("10.0.0.5/24");
    expect(wire.sent()).toEqual([
      `${OWN_MAC} > ff:ff:ff:ff:ff:ff ARP who has 10.0.0.5? tell 10.0.0.5 at ${OWN_MAC}`,
    ]);
    wire.link.removeAddress("10.0.0.5");
    expect(() => wire.link.addAddress("x")).toThrow('addAddress: "x" is not an address');
  });

  // Stable across restarts, and different for each station.
  test("derives a stable MAC address", () => {
    const macOf = (address: string) => new Cable({ addresses: [address], mac: undefined! }).sent();
    const [first, again, other] = ["10.0.0.1/24", "10.0.0.1/24", "10.0.0.2/24"].map(macOf);
    expect(first).toEqual(again!);
    expect(first).not.toEqual(other!);
    expect(first![0]).toMatch(/^02:be:/);
  });

  // Each message names the option and what is valid.
  test.each([
    [{ addresses: [] }, "addresses: at least one is required"],
    [{ addresses: ["x"] }, 'addresses: "x" is not an address such as 10.7.0.2/24 or fd00::2/64'],
    [{ exceptAddresses: ["x"] }, 'exceptAddresses: "x" is not'],
    [{ gateways: ["10.0.0.2/24"] }, 'gateways: "10.0.0.2/24" is not an address such as 10.7.0.1'],
    [
      { gateways: ["10.0.0.2", "10.0.0.3"] },
      "gateways: at most one for IPv4 and one for IPv6",
    ],
    [{ mac: "02:00" }, 'mac: "02:00" is not a unicast MAC address such as 02:00:00:00:00:01'],
    [{ mac: "ff:ff:ff:ff:ff:ff" }, "mac: "],
    [{ neighbors: { "10.0.0.2": "x" } }, 'neighbors: "x" is not a unicast MAC address'],
    [{ neighbors: { x: OWN_MAC } }, 'neighbors: "x" is not an address'],
    [{ maxNeighbors: 0 }, "maxNeighbors must be an integer from 1 to 65536, not 0"],
  ])("refuses %j", (options, message) => {
    const [port] = framePortPair();
    expect(() => ethernet(port, { addresses: ["10.0.0.1/24"], ...options })).toThrow(message);
  });

  // Random frames are counted or delivered; nothing throws, and memory is bounded.
  test("tolerates any frame", async () => {
    const random = seededRandom(7);
    const wire = new Cable({ maxNeighbors: 16 });
    const types = [0x0800, 0x0806, 0x86dd, 0x88cc];
    let handedOn = 0;
    for (let i = 0; i < 20_000; i++) {
      const payload = new Uint8Array(Math.floor(random.fraction() * 100));
      random.fill(payload);
      // Half of them start with a valid header.
      const starts = [
        [0x45],
        [0, 1, 8, 0, 6, 4, 0, 1 + (i & 1)],
        [0x60, 0, 0, 0, 0, 24, 58, 255],
        [],
      ];
      if (i & 4) payload.set(starts[i & 3]!.slice(0, payload.length));
      if (i & 8 && payload.length > 48) payload[40] = 135 + ((i >> 4) & 1);
      handedOn += wire.hears(frame(OWN_MAC, PEER_MAC, types[i & 3]!, payload)).length;
      if (i % 500 === 0) await wire.clock.advance(100);
      wire.sentFrames();
    }
    const drops = Object.entries(wire.link.stats()).filter(([name]) => name.startsWith("drop."));
    expect(handedOn + drops.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThan(15_000);
    expect(wire.states().length).toBeLessThanOrEqual(16);
  });

  // Counted, without reading beyond the frame.
  test("drops frames shorter than a header", async () => {
    const [near] = framePortPair();
    let sizes = [0, 1, 13];
    near.receive = (batch) => {
      const count = sizes.length;
      sizes.forEach((size, i) => {
        batch.packets[i] = new Uint8Array(size);
        batch.sizes[i] = size;
      });
      sizes = [];
      return count;
    };
    await using link = ethernet(near, left);
    expect(link.receive(new PacketBatch(4))).toBe(0);
    expect(link.stats()).toMatchObject({ "drop.short": 3 });
  });
});
