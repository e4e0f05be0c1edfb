/**
 * The addresses that a proxy may connect to for its clients.
 *
 * @module
 */
import { z } from "zod";
import { IpAddress, Subnet } from "../../core/wire/address.ts";
import { embeddedV4 } from "../../core/wire/embedded_v4.ts";

/**
 * Loopback, link-local and multicast addresses, and the metadata services of clouds. Private networks
 * (RFC 1918, RFC 4193) and the host's other addresses, which only the host knows, are not included.
 */
export const DENIED_BY_DEFAULT: readonly string[] = [
  "0.0.0.0/8", // "this host" (RFC 1122 3.2.1.3): Linux connects to itself
  "127.0.0.0/8", // loopback
  "169.254.0.0/16", // link-local (RFC 3927), metadata of most clouds
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, limited broadcast
  "100.100.100.200/32", // metadata of Alibaba Cloud
  "168.63.129.16/32", // WireServer of Azure
  "192.0.0.192/32", // metadata of Oracle Cloud
  "::/96", // unspecified, loopback, IPv4-compatible (RFC 4291 2.5.5.1)
  "fe80::/10", // link-local
  "fec0::/10", // site-local (RFC 3879)
  "ff00::/8", // multicast
  "64:ff9b:1::/48", // local-use NAT64 (RFC 8215), whose prefix length each network chooses
  "fd00:ec2::/32", // metadata of AWS
  "fd20:ce::254/128", // metadata of Google Cloud
  "fd00:42::42/128", // metadata of Scaleway
];

/** Options of {@link TargetFilter}: addresses or subnets, `"10.0.0.0/8"` or `"::1"`. */
export interface TargetRules {
  /** Targets to allow, although a shorter prefix denies them. */
  allow?: readonly string[] | undefined;
  /** Targets to deny, in addition to those denied by default. */
  deny?: readonly string[] | undefined;
}

/** Schema of a list of addresses and subnets. */
export const subnetsSchema: z.ZodType<readonly string[], readonly string[]> = z.array(
  z.string().refine((text) => Subnet.parse(text) !== undefined, {
    error: ({ input }) =>
      `expected an address or a subnet such as 10.0.0.0/8, got ${JSON.stringify(input)}`,
  }),
);

interface Rule {
  readonly subnet: Subnet;
  readonly allowed: boolean;
}

/**
 * Allows or denies targets. The rule with the longest prefix decides; among equal ones `deny` comes
 * before `allow`, and `allow` before the defaults; a target without a rule is allowed. So
 * `allow: ["0.0.0.0/0"]` does not allow loopback, `["127.0.0.1"]` does, and
 * `deny: ["0.0.0.0/0", "::/0"]` leaves only the targets in `allow`.
 *
 * An IPv6 address that embeds an IPv4 address for a translator or tunnel, in any form of
 * {@link embeddedV4}, is allowed only if that address is allowed too.
 *
 * Resolve names first, and connect to the address that was checked.
 */
export class TargetFilter {
  /** Longest prefix first; the sort is stable. */
  readonly #rules: readonly Rule[];

  /**
   * Reads the rules.
   *
   * @throws {TypeError} A rule is not an address or subnet.
   */
  constructor(rules: TargetRules, deniedByDefault: readonly string[] = DENIED_BY_DEFAULT) {
    const { allow = [], deny = [] } = rules;
    const ruleOf = (allowed: boolean) => (text: string) => ({ subnet: subnetOf(text), allowed });
    this.#rules = [
      ...deny.map(ruleOf(false)),
      ...allow.map(ruleOf(true)),
      ...deniedByDefault.map(ruleOf(false)),
    ].sort((a, b) => b.subnet.prefixLength - a.subnet.prefixLength);
  }

  /** Whether a target is allowed; text that is not an IP address is denied. */
  allows(target: string | IpAddress): boolean {
    const address = typeof target === "string" ? IpAddress.parse(target) : target;
    if (address === undefined || !this.#allows(address)) return false;
    return embeddedV4(address).every((embedded) => this.#allows(embedded));
  }

  #allows(address: IpAddress): boolean {
    return this.#rules.find(({ subnet }) => subnet.contains(address))?.allowed ?? true;
  }
}

function subnetOf(text: string): Subnet {
  const subnet = Subnet.parse(text);
  if (subnet !== undefined) return subnet;
  throw new TypeError(`expected an address or a subnet such as 10.0.0.0/8, got ${text}`);
}
