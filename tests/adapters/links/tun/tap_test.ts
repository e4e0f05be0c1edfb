import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import {
  ethernet,
  type EthernetLink,
  type EthernetOptions,
} from "../../../../adapters/links/ethernet/mod.ts";
import { openTap, type TunOptions } from "../../../../adapters/links/tun/mod.ts";
import { describeInNamespace } from "../../../support/describe_in_namespace.ts";
import {
  echoReplyPayload,
  echoRequest,
  pattern,
  PORT,
  udpPayload,
} from "../../../support/packets.ts";
import { linkConformance } from "../link_conformance.ts";
import { joinThroughKernel, macOf, type OpenDevice, receiveOne, stationBeside } from "./kernel.ts";

describeInNamespace(import.meta.url, "a TAP device", () => {
  const whole = opened({});
  const plain = opened({ offload: false });
  linkConformance("a TAP device", () => joinThroughKernel(whole, whole));
  linkConformance("a TAP device before one without offload", () => joinThroughKernel(whole, plain));
  linkConformance("a TAP device without offload", () => joinThroughKernel(plain, whole));

  describe("the kernel", () => {
    const routes = [{ from: "10.81.0.2", to: "10.81.0.1" }, { from: "fd81::2", to: "fd81::1" }];

    // Both caches are empty: the kernel answers the link's request, and sends one itself.
    test.each(routes)("answers an echo request from %j", async (route) => {
      await using link = await openStation({});
      link.send(echoRequest(route, pattern(1000)));
      expect(await receiveOne(link, echoReplyPayload)).toEqual(pattern(1000));
      expect(link.neighbors).toMatchObject([{ address: route.to, state: "REACHABLE" }]);
      expect(link.neighbors[0]!.mac).toBe(macOf("tap0"));
    });

    // The kernel queues its first packet until the link has answered its request.
    test.each(["10.81.0.77", "fd81::77"])("resolves %s in an own network", async (to) => {
      const addresses = ["10.81.0.0/24", "fd81::/64"];
      await using link = await openStation({ addresses });
      const socket = createSocket(to.includes(":") ? "udp6" : "udp4");
      socket.send(pattern(500), PORT, to);
      expect(await receiveOne(link, udpPayload)).toEqual(pattern(500));
      expect(link.stats()).toMatchObject({ requestsAnswered: 1 });
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    });

    // The kernel accepts the MAC address that the link announces.
    test("has a neighbor with the chosen MAC address", async () => {
      await using link = await openStation({ mac: "02:00:00:00:00:42" });
      link.send(echoRequest(routes[0]!, pattern(10)));
      await receiveOne(link, echoReplyPayload);
      const known = readFileSync("/proc/net/arp", "utf8");
      expect(known).toMatch(/^10\.81\.0\.2 .* 02:00:00:00:00:42 .* tap0$/m);
    });
  });

  describe("openTap", () => {
    // The kernel assigns the name, and the device disappears with its port.
    test("creates a device that disappears with its port", async () => {
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
  return ethernet(port, { addresses, exceptAddresses: host, probe: false, ...options });
}

function opened(options: TunOptions): OpenDevice {
  return async (name, addresses) =>
    stationBeside(await openTap({ name, addresses, ...options }), addresses);
}
