import { z } from "zod";
import { openVxlan, vxlanMtu } from "../../links/vxlan.ts";
import { defineLinkKind, type LinkKind } from "./kind.ts";
import { station, STATION_USAGE, stationOptions } from "./station.ts";
import { hostEndpoint, hostEndpoints, onOff, wholeNumber } from "./values.ts";

const options = z.strictObject({
  vni: wholeNumber.refine((vni) => vni < 2 ** 24, "expected a number from 0 to 16777215"),
  remote: hostEndpoints.optional(),
  local: hostEndpoint.optional(),
  offload: onOff.default(false),
  ...stationOptions,
});

/** A VXLAN tunnel. */
export const vxlan: LinkKind = defineLinkKind({
  usage: `vxlan:VNI[,remote=HOST[:PORT]]...[,local=HOST[:PORT]][,offload=on]${STATION_USAGE}`,
  first: "vni",
  options,
  throughKernel: false,
  mtu: ({ remote }) => vxlanMtu(remote ?? []),
  async open(given, environment) {
    const { vni, remote = [], local, offload } = given;
    const { mtu } = environment;
    const port = await openVxlan({
      vni,
      remotes: remote,
      mtu,
      offload,
      ...(local === undefined ? {} : { local }),
    });
    return station(port, given, environment);
  },
});
