import { writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { expect, test } from "bun:test";
import { ethernet } from "../../../adapters/ethernet/mod.ts";
import { openDevice } from "../../../adapters/tun/device.ts";
import { openTap, openTun, type TunOptions } from "../../../adapters/tun/mod.ts";
import { openHost } from "../../../adapters/tun/open_host.ts";
import { parseTunOptions } from "../../../adapters/tun/options.ts";
import type { Link } from "../../../core/stack/link.ts";
import { ETHERNET_HEADER } from "../../../core/wire/ethernet.ts";
import { type JoinedLinks, linkConformance } from "../../link_conformance.ts";
import { describeInNamespace } from "../../support/describe_in_namespace.ts";

describeInNamespace(import.meta.url, "an inherited descriptor", () => {
  linkConformance("a TUN descriptor with a header", () => joinThroughKernel(attachTun, true));
  linkConformance("a TUN descriptor without", () => joinThroughKernel(attachTun, false));
  linkConformance("a TAP descriptor with a header", () => joinThroughKernel(attachTap, true));
  linkConformance("a TAP descriptor without", () => joinThroughKernel(attachTap, false));

  // The header is there, whoever does not want it; and a frame is no packet.
  test.each([
    [0, { offload: false }, "leave offload on"],
    [ETHERNET_HEADER, {}, "another kind of device"],
  ])("is refused where it is another than is asked for", async (frameHeader, options, message) => {
    const fd = await descriptor(hostSide("left0", 81, true), frameHeader);
    await expect(openTun({ fd, ...options })).rejects.toThrow(message);
    // It is still open, for whoever can use it.
    const port = await (frameHeader > 0 ? openTap({ fd }) : openTun({ fd }));
    expect(port.name).toBe("left0");
    await port.close();
  });
});

/** Two devices whose descriptors somebody else has opened; the kernel forwards between them. */
async function joinThroughKernel(
  attach: (name: string, net: number, offload: boolean) => Promise<Link>,
  offload: boolean,
): Promise<JoinedLinks> {
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  writeFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "1");
  for (const name of ["all", "default"]) {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/accept_dad`, "0");
  }
  return {
    left: await attach("left0", 81, offload),
    right: await attach("right0", 82, offload),
    routes: [{ from: "10.81.0.2", to: "10.82.0.2" }, { from: "fd81::2", to: "fd82::2" }],
  };
}

async function attachTun(name: string, net: number, offload: boolean): Promise<Link> {
  return await openTun({ fd: await descriptor(hostSide(name, net, offload), 0) });
}

/** The suite receives at one end only, so the other cannot hear the router's answers. */
async function attachTap(name: string, net: number, offload: boolean): Promise<Link> {
  const port = await openTap({
    fd: await descriptor(hostSide(name, net, offload), ETHERNET_HEADER),
  });
  const { mac } = networkInterfaces()[name]![0]!;
  const routers = [`10.${net}.0.1`, `fd${net}::1`];
  return ethernet(port, {
    addresses: [`10.${net}.0.2/24`, `fd${net}::2/64`],
    gateways: routers,
    neighbors: Object.fromEntries(routers.map((router) => [router, mac])),
  });
}

function hostSide(name: string, net: number, offload: boolean): TunOptions {
  return { name, offload, addresses: [`10.${net}.0.1/24`, `fd${net}::1/64`] };
}

/** What the parent does: it opens and configures the device, and leaves the descriptor open. */
async function descriptor(options: TunOptions, frameHeader: number): Promise<number> {
  const host = await openHost();
  try {
    return openDevice(host, parseTunOptions(options, frameHeader)).fd;
  } finally {
    host.close();
  }
}
