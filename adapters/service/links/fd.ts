import { z } from "zod";
import { openTun } from "../../links/tun/mod.ts";
import { defineLinkKind, type LinkKind } from "./kind.ts";
import { wholeNumber } from "./values.ts";

/** A TUN device that the parent process opened and passed on. */
export const fd: LinkKind = defineLinkKind({
  usage: "fd:NUMBER",
  first: "fd",
  options: z.strictObject({ fd: wholeNumber }),
  throughKernel: true,
  open: ({ fd }, { mtu }) => openTun({ fd, mtu }),
});
