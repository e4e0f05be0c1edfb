/**
 * Options and setup shared by links that carry Ethernet frames.
 *
 * @module
 */
import { z } from "zod";
import { IpAddress } from "../../../core/wire/address.ts";
import { isStationMac, parseMac } from "../../../core/wire/ethernet.ts";
import { ethernet, type EthernetLink, type FramePort } from "../../links/ethernet/mod.ts";
import type { LinkEnvironment } from "./kind.ts";
import { onOff, texts } from "./values.ts";

/** Options that all Ethernet links share. */
export const stationOptions = {
  mac: z.string().refine((text) => isStationMac(parseMac(text) ?? 0), {
    error: ({ input }) => `expected a unicast MAC address such as 02:00:00:00:00:01, got ${input}`,
  }).optional(),
  gateway: texts.refine((all) => all.every((text) => IpAddress.parse(text)?.isUnicast), {
    error: ({ input }) => `expected an address such as 10.7.0.1, got ${input}`,
  }).optional(),
  probe: onOff.optional(),
};

/** The output of {@link stationOptions}. */
export interface StationSetting {
  readonly mac?: string | undefined;
  readonly gateway?: readonly string[] | undefined;
  readonly probe?: boolean | undefined;
}

/** The syntax of these options, for `usage`. */
export const STATION_USAGE = "[,mac=MAC][,gateway=ADDRESS][,probe=off]";

/** An Ethernet link on a frame port; closes the port if that fails. */
export async function station(
  port: FramePort,
  { mac, gateway = [], probe = true }: StationSetting,
  { addresses, hostAddresses, exceptAddresses = [], log }: LinkEnvironment,
): Promise<EthernetLink> {
  try {
    return ethernet(port, {
      addresses,
      exceptAddresses: [...hostAddresses, ...exceptAddresses],
      gateways: gateway,
      probe,
      log,
      ...(mac === undefined ? {} : { mac }),
    });
  } catch (error) {
    await port.close();
    throw error;
  }
}
