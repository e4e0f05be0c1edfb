import { createSocket } from "node:dgram";
import { readFileSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { describe, expect, test } from "bun:test";
import {
  ethernet,
  type EthernetLink,
  type EthernetOptions,
} from "../../../adapters/ethernet/mod.ts";
import { openTap, type TunOptions } from "../../../adapters/tun/mod.ts";
import { type Link, PacketBatch } from "../../../core/stack/link.ts";
import { type JoinedLinks, linkConformance } from "../../link_conformance.ts";
import { describeInNamespace } from "../../support/describe_in_namespace.ts";
import { echoReplyPayload, echoRequest, pattern, PORT, udpPayload } from "../../support/packets.ts";

describeInNamespace(import.meta.url, "a TAP device", () => {
  linkConformance("a TAP device", () => joinThroughKernel({}, {}));
  linkConformance("a TAP device before one without offload", () => {
    return joinThroughKernel({}, { offload: false });
  });
  linkConformance("a TAP device without offload", () => joinThroughKernel({ offload: false }, {}));

  describe("the kernel", () => {
    const routes = [{ from: "10.81.0.2", to: "10.81.0.1" }, { from: "fd81::2", to: "fd81::1" }];

    // Nobody knows anybody: the kernel answers the link's question, and asks one of its own.
    test.each(routes)("answers an echo request from %j", async (route) => {
      await using link = await openStation({});
      link.send(echoRequest(route, pattern(1000)));
      expect(await receiveOne(link, echoReplyPayload)).toEqual(pattern(1000));
      expect(link.neighbors).toMatchObject([{ address: route.to, state: "REACHABLE" }]);
      expect(link.neighbors[0]!.mac).toBe(macOf("tap0"));
    });

    // The first packet of the kernel's waits there until the link has answered its question.
    test.each(["10.81.0.77", "fd81::77"])("finds %s in a whole subnet", async (to) => {
      const addresses = ["10.81.0.0/24", "fd81::/64"];
      await using link = await openStation({ addresses });
      const socket = createSocket(to.includes(":") ? "udp6" : "udp4");
      socket.send(pattern(500), PORT, to);
      expect(await receiveOne(link, udpPayload)).toEqual(pattern(500));
      expect(link.stats()).toMatchObject({ questionsAnswered: 1 });
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    });

    // It drops what it does not answer, and takes the address for what the link says it is.
    test("has a neighbor at the address that was chosen", async () => {
      await using link = await openStation({ mac: "02:00:00:00:00:42" });
      link.send(echoRequest(routes[0]!, pattern(10)));
      await receiveOne(link, echoReplyPayload);
      const known = readFileSync("/proc/net/arp", "utf8");
      expect(known).toMatch(/^10\.81\.0\.2 .* 02:00:00:00:00:42 .* tap0$/m);
    });
  });

  describe("openTap", () => {
    // The kernel names it, and it disappears with its port.
    test("makes a device that disappears with its port", async () => {
      const port = await openTap();
      expect(port.name).toMatch(/^tap\d+$/);
      const isThere = () => readFileSync("/proc/net/dev", "utf8").includes(`${port.name}:`);
      expect(isThere()).toBe(true);
      await port.close();
      expect(isThere()).toBe(false);
    });
  });
});

async function openStation(options: Partial<EthernetOptions>): Promise<EthernetLink> {
  const host = ["10.81.0.1/24", "fd81::1/64"];
  const addresses = ["10.81.0.2/24", "fd81::2/64"];
  const port = await openTap({ name: "tap0", addresses: host });
  return ethernet(port, { addresses, exceptAddresses: host, ...options });
}

/** Two devices; the kernel forwards between them. */
async function joinThroughKernel(left: TunOptions, right: TunOptions): Promise<JoinedLinks> {
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
  // A router asks from its link-local address, which is not to be probed for duplicates first.
  for (const name of ["all", "default"]) {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/accept_dad`, "0");
  }
  return {
    left: await openBehindRouter("left0", 81, left),
    right: await openBehindRouter("right0", 82, right),
    routes: [{ from: "10.81.0.2", to: "10.82.0.2" }, { from: "fd81::2", to: "fd82::2" }],
  };
}

/** The suite receives at one end only, so the other cannot hear the router's answers. */
async function openBehindRouter(name: string, net: number, options: TunOptions): Promise<Link> {
  const routers = [`10.${net}.0.1`, `fd${net}::1`];
  const port = await openTap({
    name,
    addresses: [`${routers[0]}/24`, `${routers[1]}/64`],
    ...options,
  });
  return ethernet(port, {
    addresses: [`10.${net}.0.2/24`, `fd${net}::2/64`],
    gateways: routers,
    neighbors: Object.fromEntries(routers.map((router) => [router, macOf(name)])),
  });
}

function macOf(name: string): string {
  return networkInterfaces()[name]![0]!.mac;
}

/** The first thing that `pick` finds among what is received. */
async function receiveOne<T>(link: Link, pick: (packet: Uint8Array) => T | undefined): Promise<T> {
  const batch = new PacketBatch(1);
  while (await link.ready()) {
    if (link.receive(batch) === 0) continue;
    const picked = pick(batch.packets[0]!.slice(0, batch.sizes[0]));
    if (picked !== undefined) return picked;
  }
  throw new Error("closed");
}
