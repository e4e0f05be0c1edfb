/**
 * The kernel at the other end of a device, in a network namespace of the test.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import type { FramePort } from "../../../../adapters/links/ethernet/frame_port.ts";
import { ethernet } from "../../../../adapters/links/ethernet/mod.ts";
import { type Link, PacketBatch } from "../../../../core/stack/link.ts";
import type { JoinedLinks } from "../link_conformance.ts";

/** Opens a device on which the kernel has these addresses; the link has the next ones. */
export type OpenDevice = (name: string, addresses: string[]) => Promise<Link>;

/** Two devices; the kernel forwards between them. */
export async function joinThroughKernel(
  openLeft: OpenDevice,
  openRight: OpenDevice,
): Promise<JoinedLinks> {
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
  // A router sends solicitations from its link-local address, so duplicate address detection must not delay that.
  for (const name of ["all", "default"]) {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/accept_dad`, "0");
  }
  return {
    left: await openLeft("left0", ["10.81.0.1/24", "fd81::1/64"]),
    right: await openRight("right0", ["10.82.0.1/24", "fd82::1/64"]),
    routes: [{ from: "10.81.0.2", to: "10.82.0.2" }, { from: "fd81::2", to: "fd82::2" }],
  };
}

/**
 * A station next to a kernel with these addresses. The link suite receives at one end only, so it
 * could not receive the kernel's answers and has permanent neighbors.
 */
export function stationBeside(port: FramePort, kernel: readonly string[]): Link {
  const routers = kernel.map((address) => address.split("/")[0]!);
  return ethernet(port, {
    addresses: kernel.map((address) => address.replace("1/", "2/")),
    gateways: routers,
    probe: false,
    neighbors: Object.fromEntries(routers.map((router) => [router, macOf(port.name)])),
  });
}

/** The kernel's MAC address on a device. */
export function macOf(name: string): string {
  return networkInterfaces()[name]![0]!.mac;
}

/** Receives until `pick` returns a value, and returns it. */
export async function receiveOne<T>(
  link: Link,
  pick: (packet: Uint8Array) => T | undefined,
): Promise<T> {
  const batch = new PacketBatch(1);
  while (await link.ready()) {
    if (link.receive(batch) === 0) continue;
    const picked = pick(batch.packets[0]!.slice(0, batch.sizes[0]));
    if (picked !== undefined) return picked;
  }
  throw new Error("closed");
}
