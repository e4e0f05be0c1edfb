import { z } from "zod";
import { openTun } from "../../tun/mod.ts";
import { defineLinkKind, type LinkKind } from "./kind.ts";
import { onOff, wholeNumber } from "./values.ts";

const options = z.strictObject({
  name: z.string().min(1),
  offload: onOff.optional(),
  queue: wholeNumber.optional(),
});

/** A TUN device: what `--tun` makes, with the options that have no flag. */
export const tun: LinkKind = defineLinkKind({
  usage: "tun:NAME[,offload=off][,queue=PACKETS]",
  first: "name",
  options,
  throughKernel: true,
  open({ name, offload = true, queue }, { hostAddresses, mtu }) {
    return openTun({
      name,
      addresses: hostAddresses,
      mtu,
      offload,
      ...(queue === undefined ? {} : { queueLength: queue }),
    });
  },
});
