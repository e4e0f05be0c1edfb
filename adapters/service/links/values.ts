/**
 * Schemas for the values of link options, which are strings.
 *
 * @module
 */
import { z } from "zod";
import { parseHostPort } from "../../../core/api/host_port.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { pathFrom } from "../settings/setting.ts";

/** `on` or `off`. */
export const onOff: z.ZodType<boolean, string> = z.enum(["on", "off"], {
  error: ({ input }) => `expected on or off, got ${input}`,
}).transform((text) => text === "on");

/** A whole number. */
export const wholeNumber: z.ZodType<number, string> = z.string().regex(/^\d{1,10}$/, {
  error: ({ input }) => `expected a whole number, got ${input}`,
}).transform(Number);

/** A string, or several if the option was repeated. */
export const texts: z.ZodType<string[], string | string[]> = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => [value].flat());

/** An IP address of the host's network, with an optional port. */
export const hostEndpoint: z.ZodType<string, string> = z.string().refine(isEndpoint, {
  error: ({ input }) => `expected an address such as 192.0.2.2 or [2001:db8::2]:4789, got ${input}`,
});

/** One or more {@link hostEndpoint}s. */
export const hostEndpoints: z.ZodType<string[], string | string[]> = texts.refine(
  (all) => all.every(isEndpoint),
  {
    error: ({ input }) =>
      `expected addresses such as 192.0.2.2 or [2001:db8::2]:4789, got ${input}`,
  },
);

function isEndpoint(text: string): boolean {
  const hostname = parseHostPort(text)?.hostname ?? text;
  return IpAddress.parse(hostname) !== undefined;
}

/** An IP address of the host's network with a port. */
export const hostPlace: z.ZodType<string, string> = z.string("expected HOST:PORT").refine(
  (text) => isEndpoint(text) && parseHostPort(text) !== undefined,
  { error: ({ input }) => `expected HOST:PORT such as 127.0.0.1:5555, got ${input}` },
);

/** A {@link hostPlace}, or the path of a Unix socket. */
export const socketPlace: z.ZodType<string, string> = z.string().refine(
  (text) => text.includes("/") || hostPlace.safeParse(text).success,
  { error: ({ input }) => `expected HOST:PORT or a path such as ./berth.sock, got ${input}` },
);

/** A {@link socketPlace} with a path relative to `folder`. */
export function placeFrom(folder: string, place: string): string {
  return place.includes("/") ? pathFrom(folder, place) : place;
}
