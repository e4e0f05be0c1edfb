/**
 * Addresses of the host that lead back into a stack of this process. Connecting to them would be an endless
 * loop.
 *
 * @module
 */
import { networkInterfaces } from "node:os";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import { IpAddress } from "../../core/wire/address.ts";

/** Whether the kernel routes packets for an address to a device. */
export type IsRouted = (address: IpAddress) => boolean;

/** Devices of this process; rarely more than two. */
const devices = new Set<IsRouted>();
/** Published ports of the host, by transport and address, and the addresses in a stack that they lead to. */
const ports = new Map<string, HostPort>();

/** Registers a device of a stack in this process. Returns the function that removes it. */
export function addDevice(isRoutedTo: IsRouted): () => void {
  devices.add(isRoutedTo);
  return () => void devices.delete(isRoutedTo);
}

/** Registers a port of the host that leads into a stack here. Returns the function that removes it. */
export function addPort(transport: "tcp" | "udp", at: HostPort, to: HostPort): () => void {
  const key = keyOf(transport, at);
  ports.set(key, to);
  return () => void ports.delete(key);
}

/** The address in a stack that `target` leads to; `undefined` if none is known. */
export function routeIntoStack(transport: "tcp" | "udp", target: HostPort): HostPort | undefined {
  if (isLocalhost(target.hostname)) {
    return routeIntoStack(transport, { ...target, hostname: "127.0.0.1" }) ??
      routeIntoStack(transport, { ...target, hostname: "::1" });
  }
  const address = IpAddress.parse(target.hostname);
  if (address === undefined) return undefined;
  if (ports.size > 0) {
    const published = ports.get(keyOf(transport, target)) ??
      anyAddressPort(transport, target, address);
    if (published !== undefined) return published;
  }
  for (const isRoutedTo of devices) if (isRoutedTo(address)) return target;
  return undefined;
}

function anyAddressPort(
  transport: "tcp" | "udp",
  { port }: HostPort,
  address: IpAddress,
): HostPort | undefined {
  // A socket bound to :: accepts IPv4 as well.
  const wildcards = address.isV4 ? ["0.0.0.0", "::"] : ["::"];
  const found = wildcards.map((hostname) => ports.get(keyOf(transport, { hostname, port })))
    .find((to) => to !== undefined);
  return found !== undefined && isHostAddress(address) ? found : undefined;
}

function isHostAddress(address: IpAddress): boolean {
  return address.isLoopback ||
    Object.values(networkInterfaces()).flat().some((each) =>
      each !== undefined && IpAddress.parse(each.address.replace(/%.*$/, ""))?.equals(address)
    );
}

/** RFC 6761 6.3: localhost names need no resolver. */
function isLocalhost(hostname: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(hostname);
}

function keyOf(transport: "tcp" | "udp", { hostname, port }: HostPort): string {
  const address = IpAddress.parse(hostname)?.toString() ?? hostname;
  return `${transport}/${formatHostPort({ hostname: address, port })}`;
}
