/**
 * The addresses that the service's stack has.
 *
 * @module
 */
import { OwnAddresses } from "../../../core/stack/ip/own_addresses.ts";
import { IpAddress, Subnet } from "../../../core/wire/address.ts";
import type { Settings } from "../settings/settings.ts";

/** What decides about it. */
type AddressSettings = Pick<Settings, "addresses" | "hostAddresses" | "exceptAddresses">;

/** What of a whole network is the host's, or another's, is not the stack's. */
export function ownAddresses(settings: AddressSettings): OwnAddresses {
  const parse = (text: string) => Subnet.parse(text)!;
  return new OwnAddresses(settings.addresses.map(parse), othersAddresses(settings).map(parse));
}

/** The host's and all others' inside of the stack's networks. */
export function othersAddresses(
  { hostAddresses, exceptAddresses }: Omit<AddressSettings, "addresses">,
): string[] {
  return [...hostAddresses, ...exceptAddresses];
}

/** Whether a host is one of them; a name is none. */
export function isOwn(own: OwnAddresses, hostname: string): boolean {
  const address = IpAddress.parse(hostname);
  return address !== undefined && own.has(address);
}

/** An address without the length of its prefix; a network with it. */
export function showAddress(text: string): string {
  const subnet = Subnet.parse(text)!;
  return subnet.isNetwork ? subnet.toString() : subnet.address.toString();
}
