/**
 * Own addresses of the stack of the service.
 *
 * @module
 */
import { OwnAddresses } from "../../../core/stack/ip/own_addresses.ts";
import { IpAddress, Subnet } from "../../../core/wire/address.ts";
import type { Settings } from "../settings/settings.ts";

/** The settings that determine the own addresses. */
type AddressSettings = Pick<Settings, "addresses" | "hostAddresses" | "exceptAddresses">;

/** The addresses of the stack: whole networks without those of other hosts. */
export function ownAddresses(settings: AddressSettings): OwnAddresses {
  const parse = (text: string) => Subnet.parse(text)!;
  return new OwnAddresses(settings.addresses.map(parse), othersAddresses(settings).map(parse));
}

/** Addresses of the host and of others inside the stack's networks. */
export function othersAddresses(
  { hostAddresses, exceptAddresses }: Omit<AddressSettings, "addresses">,
): string[] {
  return [...hostAddresses, ...exceptAddresses];
}

/** Whether `hostname` is one of the stack's addresses; false for every name. */
export function isOwn(own: OwnAddresses, hostname: string): boolean {
  const address = IpAddress.parse(hostname);
  return address !== undefined && own.has(address);
}

/** An address without its prefix length; a network with it. */
export function showAddress(text: string): string {
  const subnet = Subnet.parse(text)!;
  return subnet.isNetwork ? subnet.toString() : subnet.address.toString();
}
