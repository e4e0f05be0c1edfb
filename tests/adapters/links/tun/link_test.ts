import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { describe, expect, test } from "bun:test";
import { openTun, type TunErrorCode, type TunOptions } from "../../../../adapters/links/tun/mod.ts";
import { type Link, PacketBatch } from "../../../../core/stack/link.ts";
import { quickSum } from "../../../../core/wire/summed_memory.ts";
import { describeInNamespace } from "../../../support/describe_in_namespace.ts";
import { makePersistentTun, removeInterface, setUp } from "../../../support/interfaces.ts";
import {
  echoReplyPayload,
  echoRequest,
  hasRightChecksum,
  pattern,
  PORT,
  udpPacket,
  udpPayload,
} from "../../../support/packets.ts";
import { linkConformance } from "../link_conformance.ts";
import { joinThroughKernel, type OpenDevice, receiveOne } from "./kernel.ts";

describeInNamespace(import.meta.url, "a TUN device", () => {
  const whole = opened({});
  const plain = opened({ offload: false });
  linkConformance("a TUN device", () => joinThroughKernel(whole, whole));
  linkConformance("a TUN device before one without offload", () => joinThroughKernel(whole, plain));
  linkConformance("a TUN device without offload", () => joinThroughKernel(plain, whole));

  describe("the kernel", () => {
    const routes = [{ from: "10.81.0.2", to: "10.81.0.1" }, { from: "fd81::2", to: "fd81::1" }];
    const options = { name: "tun%d", addresses: ["10.81.0.1/24", "fd81::1/64"] };

    // The kernel verifies both checksums and swaps the addresses.
    test.each(routes)("answers an echo request from %j", async (route) => {
      await using link = await openTun(options);
      expect(link.send(echoRequest(route, pattern(1000)))).toBe(true);
      expect(await receiveOne(link, echoReplyPayload)).toEqual(pattern(1000));
    });

    // An IPv6 address is usable as soon as openTun() resolves, without duplicate address detection.
    test.each(routes)("exchanges UDP with %j", async ({ from, to }) => {
      await using link = await openTun(options);
      const socket = createSocket(from.includes(":") ? "udp6" : "udp4");
      await new Promise<void>((resolve) => socket.bind(PORT, to, resolve));
      const heard = new Promise<Uint8Array>((resolve) => socket.once("message", resolve));
      socket.send(pattern(500), PORT, from);
      expect(await receiveOne(link, udpPayload)).toEqual(pattern(500));
      link.send(udpPacket({ from, to }, pattern(600)));
      expect(new Uint8Array(await heard)).toEqual(pattern(600));
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    });

    // Without offload the kernel completes every checksum.
    test("completes checksums for a link without offload", async () => {
      await using link = await openTun({ ...options, offload: false });
      expect(link.features).toEqual({ mtu: 1500, maxSuperPacket: 0, checksumOffload: false });
      const socket = createSocket("udp4");
      socket.send(pattern(500), PORT, "10.81.0.2");
      await receiveOne(link, (packet) => {
        if (udpPayload(packet) === undefined) return undefined;
        expect(hasRightChecksum(packet)).toBe(true);
        return packet;
      });
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    });
  });

  describe("received packets", () => {
    const options = { name: "tun%d", addresses: ["10.81.0.1/24"] };

    // Without offload, checksums have to be verified here, so the buffers must be in summed memory.
    test.each([false, true])(
      "are in summed memory if checksums have to be verified: offload %j",
      async (offload) => {
        await using link = await openTun({ ...options, offload });
        link.send(echoRequest({ from: "10.81.0.2", to: "10.81.0.1" }, pattern(1000)));
        const batch = new PacketBatch(1);
        while (await link.ready() && link.receive(batch) === 0);
        const sum = quickSum(batch.packets[0]!, 0, batch.sizes[0]!);
        expect(sum === undefined).toBe(offload);
      },
    );
  });

  describe("openTun", () => {
    // Without external programs, and with several addresses per family.
    test("sets addresses, netmasks and MTU", async () => {
      const addresses = [
        "10.81.0.1/24",
        "10.81.0.7/24",
        "192.168.81.1/30",
        "fd81::1/64",
        "fd82::1/112",
      ];
      await using link = await openTun({ name: "berth0", addresses, mtu: 9000 });
      expect(link.name).toBe("berth0");
      expect(link.features.mtu).toBe(9000);
      expect(addressesOf("berth0").filter((each) => !each.startsWith("fe80"))).toEqual(addresses);
    });

    // A device created by openTun() is removed.
    test("creates a device that disappears with its link", async () => {
      const link = await openTun({ name: "tun%d" });
      expect(link.name).toMatch(/^tun\d+$/);
      expect(interfaceNames()).toContain(link.name);
      await link.close();
      expect(interfaceNames()).not.toContain(link.name);
    });

    // A device created by an administrator is not changed, and stays when the link is closed.
    test("attaches to a persistent device", async () => {
      makePersistentTun("keep0", 1400);
      for (const offload of [true, false]) {
        await using link = await openTun({ name: "keep0", addresses: ["10.81.0.1/24"], offload });
        expect(link.features.mtu).toBe(1400);
        link.send(echoRequest({ from: "10.81.0.2", to: "10.81.0.1" }, pattern(100)));
        expect(await receiveOne(link, echoReplyPayload)).toEqual(pattern(100));
      }
      expect(interfaceNames()).toContain("keep0");
      removeInterface("keep0");
    });

    // The other program, here this process, keeps its device.
    test("refuses a device that is in use", async () => {
      await using link = await openTun({ name: "busy0" });
      expect(await codeOf(openTun({ name: link.name }))).toBe("NAME_TAKEN");
      expect(await codeOf(openTun({ name: "lo" }))).toBe("NAME_TAKEN");
    });

    // A setting fails, and the device is removed again.
    test("removes the device on failure", async () => {
      const failing = openTun({ name: "half0", addresses: ["fd81::1/64"], mtu: 1000 });
      expect(await codeOf(failing)).toBe("SYSTEM");
      expect(interfaceNames()).not.toContain("half0");
    });
  });

  describe("a device", () => {
    // As with an unplugged cable: packets are lost, and the link continues afterwards.
    test("that is down drops packets", async () => {
      await using link = await openTun({ name: "down0", addresses: ["10.81.0.1/24"] });
      const request = echoRequest({ from: "10.81.0.2", to: "10.81.0.1" }, pattern(100));
      setUp("down0", false);
      expect(link.send(request)).toBe(false);
      setUp("down0", true);
      expect(link.send(request)).toBe(true);
      expect(await receiveOne(link, echoReplyPayload)).toEqual(pattern(100));
    });

    // Pending and later calls of ready() reject.
    test("that is removed breaks the link", async () => {
      await using link = await openTun({ name: "gone0", addresses: ["10.81.0.1/24"] });
      await quiet(link);
      const waiting = codeOf(link.ready());
      removeInterface("gone0");
      expect(await waiting).toBe("DEVICE_GONE");
      expect(link.receive(new PacketBatch(4))).toBe(0);
      expect(link.send(udpPacket({ from: "10.81.0.2", to: "10.81.0.1" }, pattern(1)))).toBe(false);
      expect(await codeOf(link.ready())).toBe("DEVICE_GONE");
    });
  });
});

function opened(options: TunOptions): OpenDevice {
  return (name, addresses) => openTun({ name, addresses, ...options });
}

/** Receives all packets, so that the next `ready()` waits. */
async function quiet(link: Link): Promise<void> {
  const batch = new PacketBatch(64);
  do await new Promise((resolve) => setImmediate(resolve)); while (link.receive(batch) > 0);
}

async function codeOf(failing: Promise<unknown>): Promise<TunErrorCode | undefined> {
  return await failing.then(() => undefined, (error) => error.code);
}

function interfaceNames(): string[] {
  return [...readFileSync("/proc/net/dev", "utf8").matchAll(/^ *([^ :]+):/gm)].map(([, name]) =>
    name!
  );
}

function addressesOf(name: string): string[] {
  return Object.entries(networkInterfaces())
    .filter(([label]) => label.split(":")[0] === name)
    .flatMap(([, addresses]) => addresses ?? [])
    .map(({ cidr }) => cidr ?? "")
    .toSorted();
}
