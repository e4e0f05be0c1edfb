import { z } from "zod";
import { openUdpLink } from "../../links/udp.ts";
import { defineLinkKind, type LinkKind } from "./kind.ts";
import { wholeNumber } from "./values.ts";

const DEFAULT_MTU = 1400;

const options = z.strictObject({
  remote: z.string().optional(),
  local: z.string().optional(),
  queue: wholeNumber.optional(),
}).refine(({ remote, local }) => remote !== undefined || local !== undefined, {
  error: "remote or local is needed",
});

/** IP packets in UDP datagrams. */
export const udp: LinkKind = defineLinkKind({
  usage: "udp:HOST:PORT[,local=HOST:PORT][,queue=PACKETS]",
  first: "remote",
  options,
  throughKernel: false,
  mtu: () => DEFAULT_MTU,
  open({ remote, local, queue }, { mtu }) {
    return openUdpLink({
      mtu,
      ...(remote === undefined ? {} : { remote }),
      ...(local === undefined ? {} : { local }),
      ...(queue === undefined ? {} : { queue }),
    });
  },
});
