/**
 * Settings of the service, one value at a time, as a flag or the configuration has it.
 *
 * @module
 */
import { z } from "zod";
import { type IcmpOptions, icmpSchema } from "../../../core/api/config.ts";
import { formatListenAddress, parseListenAddress } from "../../../core/api/listen_address.ts";
import { milliseconds } from "../../../core/api/numbers.ts";
import { isOwnable } from "../../../core/stack/ip/own_addresses.ts";
import { Subnet } from "../../../core/wire/address.ts";
import { LOG_LEVELS, type LogLevel } from "../cli/logger.ts";
import { messageOf } from "../errors.ts";
import { type LinkSetting, parseLink } from "../links/table.ts";
import type { PublishSetting, StackPublishSetting } from "./publish_setting.ts";
import type { CaptureSetting, ImpairSetting } from "./wrap_settings.ts";

/** A plugin and its options. */
export interface PluginSetting {
  /** `NAME`, `NAME:ARGUMENT` or the path of a module. */
  readonly plugin: string;
  /** The plugin's options beside what the argument says. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** The folder that paths are relative to. */
  readonly folder: string;
  /** Where this was said, for error messages: `--listen 80` or `berth.json: listen.80`. */
  readonly source: string;
}

/** Addresses and ports of the stack and what serves them. */
export interface ListenSetting extends PluginSetting {
  /** As `formatListenAddress()` writes it. */
  readonly where: string;
  /** Middleware in front of the plugin, the outermost first. */
  readonly before?: readonly PluginSetting[] | undefined;
}

/** All settings of the service, checked. */
export interface Settings {
  /** The device's name; without one the service runs on a memory link. */
  readonly tun?: string | undefined;
  /** Another link in its place. */
  readonly link?: LinkSetting | undefined;
  /** Where what passes the link is recorded. */
  readonly capture?: CaptureSetting | undefined;
  /** How the link is made worse. */
  readonly impair?: ImpairSetting | undefined;
  /** What the stack answers, with prefix lengths. */
  readonly addresses: readonly string[];
  /** The other side of the link, with prefix lengths. */
  readonly hostAddresses: readonly string[];
  /** Addresses and networks inside of the stack's that are others' as well. */
  readonly exceptAddresses: readonly string[];
  /** Largest IP packet, in bytes. */
  readonly mtu: number;
  /** Threads that the stack and its plugins are spread over; more than one need a device. */
  readonly workers: number;
  /** The stack's behaviour. */
  readonly profile: "local" | "internet";
  /** Silence, in milliseconds, after which a peer is asked whether it is there; 0: never. */
  readonly keepAliveMs: number;
  /** What is answered by ICMP; default everything. */
  readonly icmp?: IcmpOptions | readonly IcmpOptions[] | undefined;
  /** At most one per place. */
  readonly listen: readonly ListenSetting[];
  /** Ports of the host. */
  readonly publish: readonly PublishSetting[];
  /** The least that is logged. */
  readonly logLevel: LogLevel;
  /** How long running connections may take to finish at the end, in milliseconds. */
  readonly graceMs: number;
}

/** What a flag or a configuration file sets; what it does not say is left out. */
export type PartialSettings =
  & { [Key in Exclude<keyof Settings, "publish">]?: Settings[Key] | undefined }
  & { readonly publish?: readonly (PublishSetting | StackPublishSetting)[] | undefined };

/** Settings that nobody has set. */
export const DEFAULTS: Omit<Settings, "tun" | "link" | "icmp" | "capture" | "impair"> = {
  addresses: [],
  hostAddresses: [],
  exceptAddresses: [],
  mtu: 1500,
  workers: 1,
  profile: "local",
  // RFC 9293 3.8.4, MUST-25.
  keepAliveMs: 7_200_000,
  listen: [],
  publish: [],
  logLevel: "info",
  graceMs: 5000,
};

/** A link for IPv4 alone may carry as little as 68 (RFC 791 3.2). */
export const mtuSchema: z.ZodType<number, number> = z.custom<number>(
  (value) => Number.isInteger(value) && Number(value) >= 68 && Number(value) <= 65_535,
  { error: ({ input }) => `expected a number of bytes from 68 to 65535, got ${input}` },
);

const TUN_EXPECTED = "expected a device name of 1 to 15 characters such as berth0";

/** The kernel takes up to 15 bytes; a `%d` in it is replaced by the first free number. */
export const tunSchema: z.ZodType<string, string> = z.string(TUN_EXPECTED).regex(
  /^[^\s/:]{1,15}$/,
  TUN_EXPECTED,
);

/** `KIND:VALUE,NAME=VALUE,...`. */
export const linkSchema: z.ZodType<LinkSetting, string> = z.string().transform((text, c) => {
  const parsed = parseLink(text);
  if (typeof parsed !== "string") return parsed;
  c.addIssue(parsed);
  return z.NEVER;
});

/** More threads than cores gain nothing; a device has 256 queues at most. */
const MAX_WORKERS = 64;

/** A number of threads. */
export const workersSchema: z.ZodType<number, number> = z.custom<number>(
  (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_WORKERS,
  { error: ({ input }) => `expected a number of threads from 1 to ${MAX_WORKERS}, got ${input}` },
);

/** An address with the prefix length of its subnet, or a whole network. */
export const addressSchema: z.ZodType<string, string> = z.string().refine(
  (text) => isWithLength(text) && isOwnable(Subnet.parse(text)!),
  {
    error: ({ input }) =>
      "expected ADDRESS/LENGTH such as 10.7.0.2/24 or fd07::2/64, or for every address of a " +
      `network NETWORK/LENGTH such as 10.90.0.0/16 or fd00:90::/64, got ${input}`,
  },
);

/** The host's side of the link: one address with the prefix length of its subnet. */
export const hostAddressSchema: z.ZodType<string, string> = z.string().refine(
  (text) => isWithLength(text) && !Subnet.parse(text)!.isNetwork,
  {
    error: ({ input }) => `expected ADDRESS/LENGTH such as 10.7.0.1/24 or fd07::1/64, got ${input}`,
  },
);

/** An address, or all of a network. */
export const exceptSchema: z.ZodType<string, string> = z.string().refine(
  (text) => Subnet.parse(text) !== undefined,
  { error: ({ input }) => `expected an address or a network such as 10.90.7.0/24, got ${input}` },
);

function isWithLength(text: string): boolean {
  return text.includes("/") && Subnet.parse(text) !== undefined;
}

/** `[tcp/|udp/][ADDRESS[/LENGTH]:]PORTS`, in its shortest form. */
export const whereSchema: z.ZodType<string, string> = z.string().transform((text, c) => {
  try {
    return formatListenAddress(parseListenAddress(text));
  } catch (error) {
    c.addIssue(messageOf(error));
    return z.NEVER;
  }
});

/** As the stack takes it; a fault has its place. */
export const icmpSettingSchema: z.ZodType<IcmpOptions | readonly IcmpOptions[], unknown> = z
  .unknown().transform((value, c) => {
    const { success, error } = icmpSchema.safeParse(value);
    if (success) return value as IcmpOptions | readonly IcmpOptions[];
    for (const { path, message } of error.issues) {
      c.addIssue({ code: "custom", path: [...path], message });
    }
    return z.NEVER;
  });

/** Up to a year. */
export const keepAliveSchema: z.ZodType<number, number> = milliseconds(0);

/** A profile's name. */
export const profileSchema: z.ZodType<Settings["profile"], Settings["profile"]> = z.enum(
  ["local", "internet"],
  { error: ({ input }) => `expected local or internet, got ${input}` },
);

/** A log level's name. */
export const logLevelSchema: z.ZodType<LogLevel, LogLevel> = z.enum(
  LOG_LEVELS,
  { error: ({ input }) => `expected one of ${LOG_LEVELS.join(", ")}, got ${input}` },
);

/** What is at a place: one plugin at least, the last; those before it are its middleware. */
export function behindMiddleware(where: string, chain: readonly PluginSetting[]): ListenSetting {
  const before = chain.slice(0, -1);
  return { ...chain.at(-1)!, where, ...before.length > 0 && { before } };
}
