/**
 * Sets of addresses, and addresses taken together by their networks.
 *
 * @module
 */
import { z } from "zod";
import { wholeNumber } from "../../core/api/numbers.ts";
import { IpAddress, Subnet } from "../../core/wire/address.ts";

/** Any number of subnets: a look-up costs as much as there are different prefix lengths. */
export class SubnetSet {
  /** Keys of networks, by how many of the 128 bits they fix. */
  readonly #networks = new Map<number, Set<string>>();

  constructor(subnets: Iterable<Subnet>) {
    for (const { address, bits } of subnets) {
      const networks = this.#networks.get(bits) ?? new Set();
      this.#networks.set(bits, networks.add(keyOf(address, bits)));
    }
  }

  /** Whether one of the subnets holds an address in text form. */
  has(hostname: string): boolean {
    const address = IpAddress.parse(hostname);
    if (address === undefined) return false;
    // No IPv6 prefix holds IPv4 addresses, though these are written as IPv6 ones inside.
    const least = address.isV4 ? 96 : 0;
    for (const [bits, networks] of this.#networks) {
      if (bits >= least && networks.has(keyOf(address, bits))) return true;
    }
    return false;
  }
}

/** Checks a list of addresses and subnets in an option, and makes a set of it. */
export const subnetSetSchema: z.ZodType<SubnetSet, readonly string[]> = z
  .array(
    z.string().transform((text, c) => {
      const subnet = Subnet.parse(text);
      if (subnet !== undefined) return subnet;
      const example = "an address or a subnet such as 10.0.0.0/8 or fd00::/8";
      c.addIssue(`expected ${example}, got ${JSON.stringify(text)}`);
      return z.NEVER;
    }),
  )
  .min(1, "expected at least one address or subnet")
  .transform((subnets) => new SubnetSet(subnets));

/** How many addresses count as one. */
export interface PrefixLengths {
  /** 0 to 32; default 32: each address by itself. */
  v4Prefix?: number | undefined;
  /** 0 to 128; default 64: what one customer has at least. */
  v6Prefix?: number | undefined;
}

/** The schema's part of {@link PrefixLengths}. */
export const prefixLengthsShape: {
  v4Prefix: z.ZodDefault<z.ZodNumber>;
  v6Prefix: z.ZodDefault<z.ZodNumber>;
} = {
  v4Prefix: wholeNumber(0, 32).default(32),
  v6Prefix: wholeNumber(0, 128).default(64),
};

/** The same text for all addresses of a network. */
export function networkKey(hostname: string, lengths: Required<PrefixLengths>): string {
  const address = IpAddress.parse(hostname);
  if (address === undefined) return hostname;
  return keyOf(address, address.isV4 ? lengths.v4Prefix! + 96 : lengths.v6Prefix!);
}

/** Of the first `bits` of the 128 bits that an address of either family has here. */
function keyOf({ w0, w1, w2, w3 }: IpAddress, bits: number): string {
  return `${first(w0, bits)},${first(w1, bits - 32)},${first(w2, bits - 64)},${
    first(w3, bits - 96)
  }`;
}

/** The first `bits` bits of a word. */
function first(word: number, bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 32 ? word : word & (-1 << (32 - bits));
}
