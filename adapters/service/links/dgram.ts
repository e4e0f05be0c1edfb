import { z } from "zod";
import { openQemuDgram } from "../../links/qemu_dgram.ts";
import { defineLinkKind, type LinkKind } from "./kind.ts";
import { station, STATION_USAGE, stationOptions } from "./station.ts";
import { hostPlace } from "./values.ts";

const options = z.strictObject({ local: hostPlace, remote: hostPlace, ...stationOptions });

/** The other end of QEMU's `-netdev dgram`. */
export const dgram: LinkKind = defineLinkKind({
  usage: `dgram:local=HOST:PORT,remote=HOST:PORT${STATION_USAGE}`,
  options,
  throughKernel: false,
  async open(given, environment) {
    const { local, remote } = given;
    const { mtu } = environment;
    return station(await openQemuDgram({ local, remote, mtu }), given, environment);
  },
});
