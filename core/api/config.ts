/**
 * Options of a stack: schemas and defaults.
 *
 * @module
 */
import { z } from "zod";
import { DEFAULT_ICMP_RULE, type IcmpRule } from "../stack/icmp/icmp_policy.ts";
import { isLoopback, isOwnable } from "../stack/ip/own_addresses.ts";
import type { LinkFeatures } from "../stack/link.ts";
import { PROFILES, type TcpConfig } from "../tcp/config.ts";
import { UDP_DEFAULTS, type UdpConfig } from "../udp/config.ts";
import { Subnet } from "../wire/address.ts";
import { bytes, count, MAX_BYTES, milliseconds, wholeNumber } from "./numbers.ts";
import { checkOptions } from "./options.ts";

const KIB = 1024;
const bufferSize = bytes(4 * KIB);

const NOT_OWNABLE =
  'is not an address; write "10.7.0.2/24" or "fd00::2/64", or for every address ' +
  'of a network "10.90.0.0/16" or "fd00:90::/64"';

const tcpFields = z.strictObject({
  acknowledge: z.enum(["on-read", "on-processed", "on-arrival"]),
  ackStallMs: milliseconds(),
  close: z.enum(["reset", "graceful"]),
  finish: z.enum(["reset", "time-wait"]),
  retransmitSynAck: z.boolean(),
  congestion: z.enum(["unacked", "newreno", "cubic", "bbr"]),
  maxUnacked: bufferSize,
  sendBuffer: bufferSize,
  receiveBuffer: bufferSize,
  // RFC 9293 3.8.6.3, MUST-40.
  delayedAckMs: milliseconds(0, 499),
  minRtoMs: milliseconds(),
  maxRtoMs: milliseconds(),
  initialRtoMs: milliseconds(),
  msl: milliseconds(),
  connectTimeoutMs: milliseconds(),
  userTimeoutMs: milliseconds(),
  orphanTimeoutMs: milliseconds(),
  lingerMs: milliseconds(),
  keepAlive: z.boolean(),
  keepAliveIdleMs: milliseconds(),
  keepAliveIntervalMs: milliseconds(),
  keepAliveProbes: wholeNumber(1, 255),
  noDelay: z.boolean(),
  sack: z.boolean(),
  timestamps: z.boolean(),
  ecn: z.boolean(),
  windowScaling: z.boolean(),
  mss: bytes(0, 65_495),
  hopLimit: wholeNumber(1, 255),
  trafficClass: wholeNumber(0, 255),
}).partial();

/** Schema of {@link TcpOptions} without the profile. */
export const tcpFieldsSchema: z.ZodType<Partial<TcpConfig>> = tcpFields.superRefine(
  requireRtoOrder,
) as never;

const tcpSchema = z.strictObject({
  profile: z.enum(["local", "internet"]).default("local"),
  ...tcpFields.shape,
}).superRefine(requireRtoOrder);

/** Schema of {@link UdpOptions}. */
export const udpSchema: z.ZodType<UdpOptions> = z.strictObject({
  maxFlows: count(),
  flowIdleMs: milliseconds(),
  maxDatagrams: count(1, 1_000_000),
  // One datagram of the largest size has to fit.
  maxBytes: bytes(128 * KIB),
  maxMemory: bytes(128 * KIB, 64 * MAX_BYTES),
}).partial() as never;

export const icmpRuleSchema = z.strictObject({
  to: z.string().refine(
    (text) => Subnet.parse(text) !== undefined,
    'is not an address or network; write "10.7.0.2" or "10.90.0.0/16"',
  ).optional(),
  echo: z.enum(["answer", "ignore"]).optional(),
  errors: z.enum(["send", "ignore"]).default("send"),
  ratePerSecond: count(1, 1_000_000).default(DEFAULT_ICMP_RULE.ratePerSecond),
});

/** Schema of {@link IcmpOptions}: one rule, or one for each of several networks. */
export const icmpSchema: z.ZodType<readonly IcmpRule[], IcmpOptions | readonly IcmpOptions[]> = z
  .preprocess(
    (value) => Array.isArray(value) ? value : [value],
    z.array(icmpRuleSchema),
  ).transform((rules, c) => {
    const networks = rules.map(({ to }) => String(to && Subnet.parse(to)));
    const twice = networks.findIndex((to, i) => networks.indexOf(to) < i);
    if (twice >= 0) c.addIssue(`has two rules for ${rules[twice]!.to ?? "all addresses"}`);
    return rules.map(({ to, echo, errors, ratePerSecond }) => ({
      to: to === undefined ? undefined : Subnet.parse(to),
      answersEcho: echo && echo === "answer",
      sendsErrors: errors === "send",
      ratePerSecond,
    }));
  }) as never;

const maxConnectionsSchema = count();
const maxTimeWaitSchema = count(0, 1_000_000);

/** Bounds of a stack. */
export interface StackLimits {
  /** Maximum number of concurrent connections. Default 262,144. */
  maxConnections?: number;
  /** Maximum number of connections in TIME-WAIT, or closed and in FIN-WAIT-2. Default 16,384. */
  maxTimeWait?: number;
}

/** Schema of {@link StackLimits}. */
export const stackLimitsSchema: z.ZodType<StackLimits> = z.strictObject({
  maxConnections: maxConnectionsSchema,
  maxTimeWait: maxTimeWaitSchema,
}).partial() as never;

const stackSchema = z.strictObject({
  addresses: z.array(
    z.string().refine((text) => parseOwnable(text) !== undefined, NOT_OWNABLE),
  ).min(1, "needs at least one address"),
  exceptAddresses: z.array(
    z.string().refine((text) => Subnet.parse(text) !== undefined, NOT_OWNABLE),
  ).default([]),
  tcp: tcpSchema.optional(),
  udp: udpSchema.optional(),
  icmp: icmpSchema.default([]),
  maxConnections: maxConnectionsSchema.default(262_144),
  maxTimeWait: maxTimeWaitSchema.default(16_384),
});

/** Options of connections; the profile has the defaults. Times in ms, sizes in bytes. */
export interface TcpOptions extends Partial<TcpConfig> {
  /**
   * A set of defaults for all other options: `local` for links without loss, such as a device of this host, `internet`
   * as RFC 9293 specifies. Default `local`.
   */
  profile?: "local" | "internet";
}

/** Limits of UDP; `UdpConfig` has the defaults. Times in ms, sizes in bytes. */
export type UdpOptions = Partial<UdpConfig>;

/**
 * Which ICMP messages are sent, for all own addresses or some of them; the longest prefix decides.
 */
export interface IcmpOptions {
  /** One of the stack's addresses, or a network of them: `"10.90.0.0/16"`. Default: all. */
  to?: string | undefined;
  /**
   * Whether `ping` is answered. Default: yes, except for the addresses of a network that a
   * transparent plugin such as `egress` serves, since the stack does not know which of these hosts
   * exist.
   */
  echo?: "answer" | "ignore" | undefined;
  /**
   * Whether errors are sent: port unreachable, protocol unreachable, fragment reassembly time exceeded. Default
   * `"send"`.
   */
  errors?: "send" | "ignore" | undefined;
  /**
   * Maximum number of echo replies per second, and separately of errors; also the burst size.
   * Default 1000.
   */
  ratePerSecond?: number | undefined;
}

/** Checked options of a stack. */
export interface StackConfig {
  readonly subnets: readonly Subnet[];
  readonly excepted: readonly Subnet[];
  readonly tcp: TcpConfig;
  readonly udp: UdpConfig;
  readonly icmp: readonly IcmpRule[];
  readonly maxConnections: number;
  readonly maxTimeWait: number;
}

/**
 * Checks the options of a stack.
 *
 * @throws {TypeError} One message that names each fault with its key.
 */
export function parseStackConfig(options: unknown): StackConfig {
  const checked = checkOptions("createStack", stackSchema, options);
  const { addresses, exceptAddresses, tcp, udp, icmp, maxConnections, maxTimeWait } = checked;
  return {
    subnets: addresses.map((text) => Subnet.parse(text)!),
    excepted: exceptAddresses.map((text) => Subnet.parse(text)!),
    tcp: tcpConfigOf(tcp ?? { profile: "local" }),
    udp: Object.freeze({ ...UDP_DEFAULTS, ...defined(udp ?? {}) }),
    icmp,
    maxConnections,
    maxTimeWait,
  };
}

function tcpConfigOf({ profile, ...options }: z.output<typeof tcpSchema>): TcpConfig {
  return Object.freeze({ ...PROFILES[profile], ...defined(options) });
}

/** Both profiles have the same defaults. */
function requireRtoOrder(
  { minRtoMs = PROFILES.local.minRtoMs, maxRtoMs = PROFILES.local.maxRtoMs }: UncheckedRto,
  c: z.RefinementCtx<unknown>,
): void {
  if (minRtoMs <= maxRtoMs) return;
  const message = `expected at least minRtoMs, ${minRtoMs}, got ${maxRtoMs}`;
  c.addIssue({ code: "custom", path: ["maxRtoMs"], message });
}

interface UncheckedRto {
  readonly minRtoMs?: number | undefined;
  readonly maxRtoMs?: number | undefined;
}

/**
 * Parses an address for a stack, or a network whose addresses are all the stack's.
 *
 * @throws {TypeError} It is neither; the message has examples.
 */
export function requireOwnable(text: string): Subnet {
  const subnet = parseOwnable(text);
  if (subnet !== undefined) return subnet;
  throw new TypeError(`"${text}" ${NOT_OWNABLE}`);
}

/** The smallest MTU of links with IPv6 (RFC 8200 5). */
const MIN_IPV6_MTU = 1280;

/**
 * Checks that a link can carry packets from and to these own addresses.
 *
 * @throws {TypeError} It cannot; the message starts with `key` and says what to use instead.
 */
export function requireCarried(
  subnets: readonly Subnet[],
  { mtu, insideHost }: LinkFeatures,
  key: string,
): void {
  const loopback = insideHost ? undefined : subnets.find(isLoopback);
  if (loopback !== undefined) {
    throw new TypeError(
      `${key}: ${loopback} is a loopback address, which must not leave a host (RFC 1122 3.2.1.3); use ` +
        "another address, or a link inside the host: linkPair({ insideHost: true })",
    );
  }
  const refused = subnets.find(({ address }) => !address.isV4);
  if (refused === undefined || mtu >= MIN_IPV6_MTU) return;
  throw new TypeError(
    `${key}: ${refused} needs an MTU of ${MIN_IPV6_MTU} or more (RFC 8200 5), but the link has ${mtu}; ` +
      "raise the link's MTU or use IPv4 addresses alone",
  );
}

function parseOwnable(text: string): Subnet | undefined {
  const subnet = Subnet.parse(text);
  return subnet !== undefined && (isOwnable(subnet) || isLoopback(subnet)) ? subnet : undefined;
}

function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
