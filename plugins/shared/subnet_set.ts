/**
 * Sets of subnets, and keys for addresses of the same network.
 *
 * @module
 */
import { z } from "zod";
import { wholeNumber } from "../../core/api/numbers.ts";
import { IpAddress, Subnet } from "../../core/wire/address.ts";

/** A set of subnets: a lookup costs one hash lookup per distinct prefix length. */
export class SubnetSet {
  /** Network keys by prefix length in 128 bits. */
  readonly #networks = new Map<number, Set<string>>();

  constructor(subnets: Iterable<Subnet>) {
    for (const { address, bits } of subnets) {
      const networks = this.#networks.get(bits) ?? new Set();
      this.#networks.set(bits, networks.add(keyOf(address, bits)));
    }
  }

  /** Whether one of the subnets contains an address in text form. */
  has(hostname: string): boolean {
    const address = IpAddress.parse(hostname);
    if (address === undefined) return false;
    // IPv4 addresses are stored in their mapped form, but no IPv6 prefix contains them.
    const least = address.isV4 ? 96 : 0;
    for (const [bits, networks] of this.#networks) {
      if (bits >= least && networks.has(keyOf(address, bits))) return true;
    }
    return false;
  }
}

/** Schema of a list of addresses and subnets; the result is a set. */
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

/** Prefix lengths of the networks whose addresses count as one. */
export interface PrefixLengths {
  /** Prefix length of IPv4 networks whose addresses count as one, 0 to 32. Default 32: each address separately. */
  v4Prefix?: number | undefined;
  /**
   * Prefix length of IPv6 networks whose addresses count as one, 0 to 128. Default 64: the smallest network of one
   * customer.
   */
  v6Prefix?: number | undefined;
}

/** Schema of {@link PrefixLengths}, to be spread into another one. */
export const prefixLengthsShape: {
  v4Prefix: z.ZodDefault<z.ZodNumber>;
  v6Prefix: z.ZodDefault<z.ZodNumber>;
} = {
  v4Prefix: wholeNumber(0, 32).default(32),
  v6Prefix: wholeNumber(0, 128).default(64),
};

/** A key that is the same for all addresses of a network. */
export function networkKey(hostname: string, lengths: Required<PrefixLengths>): string {
  const address = IpAddress.parse(hostname);
  if (address === undefined) return hostname;
  return keyOf(address, address.isV4 ? lengths.v4Prefix! + 96 : lengths.v6Prefix!);
}

/** The first `bits` of the 128 bits as text. */
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
