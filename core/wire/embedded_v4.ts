/**
 * IPv4 addresses embedded in IPv6 addresses, as translators and tunnels use them.
 *
 * @module
 */
import { IpAddress, Subnet } from "./address.ts";

/** `::a.b.c.d`, IPv4-compatible (RFC 4291 2.5.5.1). */
const COMPATIBLE = prefix("::/96");
/** `::ffff:0:a.b.c.d`, IPv4-translated (RFC 2765 2.1). */
const TRANSLATED = prefix("::ffff:0:0:0/96");
/** NAT64 (RFC 6052 2.1). */
const NAT64 = prefix("64:ff9b::/96");
/** Local-use NAT64 (RFC 8215); the prefix has 48 bits or more. */
const LOCAL_NAT64 = prefix("64:ff9b:1::/48");
/** RFC 3056 2. */
const SIX_TO_FOUR = prefix("2002::/16");
/** RFC 4380 4. */
const TEREDO = prefix("2001::/32");

/** The interface identifier of ISATAP, without its u and g bits (RFC 5214 6.1). */
const ISATAP = 0x0000_5efe;
const U_AND_G = 0x0300_0000;

/**
 * The IPv4 addresses that a packet to `address` may reach. Most addresses embed none. A Teredo address embeds
 * two, the server's and the client's, and so does a combination of two forms. A mapped address is an IPv4
 * address itself (see {@link IpAddress}) and embeds no other.
 *
 * Addresses of NAT64 with a network-specific prefix (RFC 6052 2.2), 6rd (RFC 5969) and MAP (RFC
 * 7597) cannot be recognized.
 */
export function embeddedV4(address: IpAddress): IpAddress[] {
  const { w0, w1, w2, w3 } = address;
  const words: number[] = [];
  // `::` and `::1` are not IPv4-compatible addresses (RFC 4291 2.5.2, 2.5.3).
  if (COMPATIBLE.contains(address) && w3 >>> 1 !== 0) words.push(w3);
  if (TRANSLATED.contains(address) || NAT64.contains(address)) words.push(w3);
  if (LOCAL_NAT64.contains(address)) words.push(...localNat64(address));
  if (SIX_TO_FOUR.contains(address)) words.push((w0 << 16) | (w1 >>> 16));
  // The client's address is stored inverted (RFC 4380 4).
  if (TEREDO.contains(address)) words.push(w1, ~w3);
  if (!address.isV4 && (w2 & ~U_AND_G) === ISATAP) words.push(w3);
  return words.map((word) => IpAddress.v4(word));
}

/**
 * The embedded IPv4 address for each possible prefix length (48, 56, 64 and 96 bits). It is split around the zero
 * octet and followed by a zero suffix (RFC 6052 2.2). With the wrong length, the result often starts with a zero
 * octet; such results are left out unless there are no others.
 */
function localNat64({ w1, w2, w3 }: IpAddress): number[] {
  const found = [w3];
  if (w2 >>> 24 === 0) {
    if ((w2 & 0xff) === 0 && w3 === 0) found.push((w1 << 16) | (w2 >>> 8));
    if (w3 === 0) found.push((w1 << 24) | w2);
    if ((w3 & 0xff_ffff) === 0) found.push((w2 << 8) | (w3 >>> 24));
  }
  const plausible = found.filter((word) => word >>> 24 !== 0);
  return plausible.length > 0 ? plausible : found;
}

function prefix(text: string): Subnet {
  return Subnet.parse(text)!;
}
