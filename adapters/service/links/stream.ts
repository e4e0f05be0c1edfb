import { z } from "zod";
import { openQemuStream } from "../../links/qemu_stream.ts";
import { defineLinkKind, type LinkKind } from "./kind.ts";
import { station, STATION_USAGE, stationOptions } from "./station.ts";
import { placeFrom, socketPlace } from "./values.ts";

const options = z.strictObject({
  listen: socketPlace.optional(),
  connect: socketPlace.optional(),
  ...stationOptions,
}).refine(({ listen, connect }) => (listen === undefined) !== (connect === undefined), {
  error: "needs one of listen and connect",
});

/** The other end of QEMU's `-netdev stream`. */
export const stream: LinkKind = defineLinkKind({
  usage:
    `stream:listen=PLACE${STATION_USAGE} or stream:connect=PLACE...; PLACE is HOST:PORT or a path`,
  options,
  throughKernel: false,
  locate: ({ listen, connect, ...others }, folder) => ({
    ...others,
    ...listen !== undefined && { listen: placeFrom(folder, listen) },
    ...connect !== undefined && { connect: placeFrom(folder, connect) },
  }),
  async open(given, environment) {
    const { listen, connect } = given;
    const { mtu, log } = environment;
    const place = listen === undefined ? { connect: connect! } : { listen };
    return station(await openQemuStream({ ...place, mtu, log }), given, environment);
  },
});
