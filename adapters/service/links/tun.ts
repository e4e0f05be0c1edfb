import { z } from "zod";
import type { Logger } from "../../../core/api/environment.ts";
import type { Link } from "../../../core/stack/link.ts";
import type { FramePort } from "../../links/ethernet/frame_port.ts";
import { openTun, steeringFileOf, type TunOptions } from "../../links/tun/mod.ts";
import { defineLinkKind, type LinkEnvironment, type LinkKind } from "./kind.ts";
import { onOff, wholeNumber } from "./values.ts";

/** Options of a kernel device. */
export const deviceOptions = {
  name: z.string().min(1),
  offload: onOff.optional(),
  queue: wholeNumber.optional(),
};

/** The output of {@link deviceOptions}. */
export interface DeviceSetting {
  readonly name: string;
  readonly offload?: boolean | undefined;
  readonly queue?: number | undefined;
}

/** The options for `openTun()` and `openTap()`. */
export function deviceSettings(
  { name, offload = true, queue }: DeviceSetting,
  { hostAddresses, mtu }: LinkEnvironment,
): TunOptions {
  const addresses = hostAddresses;
  return { name, addresses, mtu, offload, ...(queue === undefined ? {} : { queueLength: queue }) };
}

/** Logs what a device changes on the host while the service is busy. */
export function logSteering<Device extends Link | FramePort>(device: Device, log: Logger): Device {
  const file = steeringFileOf(device);
  if (file !== undefined) {
    log.info("under load, other processors process packets sent to the device", {
      device: device.name,
      file,
    });
  }
  return device;
}

/** A TUN device, as `--tun` opens it, with options that have no flag. */
export const tun: LinkKind = defineLinkKind({
  usage: "tun:NAME[,offload=off][,queue=PACKETS]",
  first: "name",
  options: z.strictObject(deviceOptions),
  throughKernel: true,
  open: async (given, environment) =>
    logSteering(await openTun(deviceSettings(given, environment)), environment.log),
});
