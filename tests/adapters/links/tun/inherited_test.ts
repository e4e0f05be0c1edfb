import { expect, test } from "bun:test";
import { openDevice } from "../../../../adapters/links/tun/device.ts";
import { openTap, openTun, type TunOptions } from "../../../../adapters/links/tun/mod.ts";
import { openHost } from "../../../../adapters/links/tun/open_host.ts";
import { parseTunOptions } from "../../../../adapters/links/tun/options.ts";
import { ETHERNET_HEADER } from "../../../../core/wire/ethernet.ts";
import { describeInNamespace } from "../../../support/describe_in_namespace.ts";
import { linkConformance } from "../link_conformance.ts";
import { joinThroughKernel, type OpenDevice, stationBeside } from "./kernel.ts";

describeInNamespace(import.meta.url, "an inherited descriptor", () => {
  for (const [kind, attach] of [["TUN", attachedTun], ["TAP", attachedTap]] as const) {
    for (const [header, offload] of [["with a header", true], ["without", false]] as const) {
      const open = attach(offload);
      linkConformance(`a ${kind} descriptor ${header}`, () => joinThroughKernel(open, open));
    }
  }

  // The device has the virtio header anyway; and frames are not packets.
  test.each([
    [0, { offload: false }, "leave offload on"],
    [ETHERNET_HEADER, {}, "another kind of device"],
  ])("is refused if it does not match the options", async (frameHeader, options, message) => {
    const fd = descriptor({ name: "left0" }, frameHeader);
    await expect(openTun({ fd, ...options })).rejects.toThrow(message);
    // The descriptor is still open.
    const port = await (frameHeader > 0 ? openTap({ fd }) : openTun({ fd }));
    expect(port.name).toBe("left0");
    await port.close();
  });
});

function attachedTun(offload: boolean): OpenDevice {
  return async (name, addresses) =>
    await openTun({ fd: descriptor({ name, addresses, offload }, 0) });
}

function attachedTap(offload: boolean): OpenDevice {
  return async (name, addresses) => {
    const fd = descriptor({ name, addresses, offload }, ETHERNET_HEADER);
    return stationBeside(await openTap({ fd }), addresses);
  };
}

/** As the parent does: opens and configures the device, and leaves the descriptor open. */
function descriptor(options: TunOptions, frameHeader: number): number {
  const host = openHost();
  try {
    return openDevice(host, parseTunOptions(options, frameHeader)).fd;
  } finally {
    host.close();
  }
}
