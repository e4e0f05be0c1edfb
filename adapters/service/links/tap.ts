import { z } from "zod";
import { openTap } from "../../links/tun/mod.ts";
import { defineLinkKind, type LinkKind } from "./kind.ts";
import { station, STATION_USAGE, stationOptions } from "./station.ts";
import { deviceOptions, deviceSettings, logSteering } from "./tun.ts";

const options = z.strictObject({ ...deviceOptions, ...stationOptions });

/** A TAP device: a network interface of the kernel, or a port of a bridge. */
export const tap: LinkKind = defineLinkKind({
  usage: `tap:NAME[,offload=off][,queue=PACKETS]${STATION_USAGE}`,
  first: "name",
  options,
  throughKernel: true,
  async open(given, environment) {
    const port = await openTap(deviceSettings(given, environment));
    return await station(logSteering(port, environment.log), given, environment);
  },
});
