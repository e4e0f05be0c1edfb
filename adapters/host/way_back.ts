/**
 * Ways from the host's kernel back into a stack of this process: what is sent there comes in again, and
 * would be sent out again, and again.
 *
 * @module
 */
import { networkInterfaces } from "node:os";
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import { IpAddress } from "../../core/wire/address.ts";

/** Whether the kernel leads packets to an address into a device. */
export type LeadsInto = (address: IpAddress) => boolean;

/** Devices of this process: more than one or two there are hardly. */
const devices = new Set<LeadsInto>();
/** Ports of the host that lead into a stack: `tcp` or `udp`, place, and where they lead. */
const ports = new Map<string, HostPort>();

/** Packets that the kernel leads into this device come to a stack here. Returns what forgets it. */
export function addDevice(leadsInto: LeadsInto): () => void {
  devices.add(leadsInto);
  return () => void devices.delete(leadsInto);
}

/** What comes to this port of the host comes to a stack here. Returns what forgets it. */
export function addPort(transport: "tcp" | "udp", at: HostPort, to: HostPort): () => void {
  const key = keyOf(transport, at);
  ports.set(key, to);
  return () => void ports.delete(key);
}

/** Where in a stack what is sent to `target` would come in; `undefined`: nowhere that could be seen. */
export function leadsBack(transport: "tcp" | "udp", target: HostPort): HostPort | undefined {
  if (isLocalhost(target.hostname)) {
    return leadsBack(transport, { ...target, hostname: "127.0.0.1" }) ??
      leadsBack(transport, { ...target, hostname: "::1" });
  }
  const address = IpAddress.parse(target.hostname);
  if (address === undefined) return undefined;
  if (ports.size > 0) {
    const published = ports.get(keyOf(transport, target)) ??
      anyAddressPort(transport, target, address);
    if (published !== undefined) return published;
  }
  for (const leadsInto of devices) if (leadsInto(address)) return target;
  return undefined;
}

function anyAddressPort(
  transport: "tcp" | "udp",
  { port }: HostPort,
  address: IpAddress,
): HostPort | undefined {
  // A socket that is bound to :: takes IPv4 as well.
  const wildcards = address.isV4 ? ["0.0.0.0", "::"] : ["::"];
  const found = wildcards.map((hostname) => ports.get(keyOf(transport, { hostname, port })))
    .find((to) => to !== undefined);
  return found !== undefined && isHosts(address) ? found : undefined;
}

function isHosts(address: IpAddress): boolean {
  return address.isLoopback ||
    Object.values(networkInterfaces()).flat().some((each) =>
      each !== undefined && IpAddress.parse(each.address.replace(/%.*$/, ""))?.equals(address)
    );
}

/** RFC 6761 6.3: it needs no resolver. */
function isLocalhost(hostname: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(hostname);
}

function keyOf(transport: "tcp" | "udp", { hostname, port }: HostPort): string {
  const address = IpAddress.parse(hostname)?.toString() ?? hostname;
  return `${transport}/${formatHostPort({ hostname: address, port })}`;
}
