/**
 * Addresses of the host that lead back into a stack of this process. A plugin that forwards connections to them would
 * create an endless loop.
 *
 * @module
 */
import { networkInterfaces } from "node:os";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import { IpAddress } from "../../core/wire/address.ts";

/** Whether the kernel routes packets for an address to a device. */
export type IsRouted = (address: IpAddress) => boolean;

/**
 * How long an answer of the kernel about a route is kept, in milliseconds: asking takes as long as
 * opening a connection. If the route changes meanwhile, a loop can last no longer than this.
 */
const KEPT_MS = 1000;
/** Maximum number of answers kept. */
export const MAX_KEPT = 1024;

/** Devices of this process; rarely more than two. */
const devices = new Set<IsRouted>();
/** Whether an address is routed to one of the devices, and until when that answer is valid. */
const kept = new Map<string, { readonly isRouted: boolean; readonly until: number }>();
/** Published ports of the host, by transport and address, and the addresses in a stack that they lead to. */
const ports = new Map<string, HostPort>();

/** Registers a device of a stack in this process. Returns the function that removes it. */
export function addDevice(isRoutedTo: IsRouted): () => void {
  devices.add(isRoutedTo);
  kept.clear();
  return () => {
    devices.delete(isRoutedTo);
    kept.clear();
  };
}

/** Registers a port of the host that leads into a stack here. Returns the function that removes it. */
export function addPort(transport: "tcp" | "udp", at: HostPort, to: HostPort): () => void {
  const key = keyOf(transport, at);
  ports.set(key, to);
  return () => void ports.delete(key);
}

/**
 * The address in a stack that `target` leads to; `undefined` if none is known. `now` is the time in
 * milliseconds, for tests.
 */
export function routeIntoStack(
  transport: "tcp" | "udp",
  target: HostPort,
  now: number = performance.now(),
): HostPort | undefined {
  if (isLocalhost(target.hostname)) {
    return routeIntoStack(transport, { ...target, hostname: "127.0.0.1" }, now) ??
      routeIntoStack(transport, { ...target, hostname: "::1" }, now);
  }
  if (ports.size > 0) {
    const published = publishedAt(transport, target);
    if (published !== undefined) return published;
  }
  return isRoutedToDevice(target.hostname, now) ? target : undefined;
}

function publishedAt(transport: "tcp" | "udp", target: HostPort): HostPort | undefined {
  const address = IpAddress.parse(target.hostname);
  if (address === undefined) return undefined;
  return ports.get(keyOf(transport, target)) ?? anyAddressPort(transport, target, address);
}

function isRoutedToDevice(hostname: string, now: number): boolean {
  if (devices.size === 0) return false;
  const known = kept.get(hostname);
  if (known !== undefined && now < known.until) return known.isRouted;
  const address = IpAddress.parse(hostname);
  if (address === undefined) return false;
  const isRouted = [...devices].some((isRoutedTo) => isRoutedTo(address));
  if (kept.size >= MAX_KEPT) kept.clear();
  kept.set(hostname, { isRouted, until: now + KEPT_MS });
  return isRouted;
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
