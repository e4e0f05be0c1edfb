/**
 * Source and destination addresses of published clients on the memory link.
 *
 * @module
 */
import type { HostPort } from "../../../core/api/host_port.ts";
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import { BindingTable } from "../../../core/stack/binding_table.ts";
import type { OwnAddresses } from "../../../core/stack/ip/own_addresses.ts";
import { IpAddress, Subnet } from "../../../core/wire/address.ts";
import type { ListenSetting } from "../settings/listen_setting.ts";
import type { Settings } from "../settings/settings.ts";

/**
 * The destination of a client in the stack, and its source address; without `from`, the source is the host's address.
 */
export interface ClientPlace {
  readonly to: HostPort;
  readonly from?: HostPort | undefined;
}

/**
 * Returns a function that chooses addresses for a client. A client keeps its address and port as the source. If the
 * target is of the other address family, the client is connected to the stack's address of its own family, provided
 * the same entry of `listen` serves that address. In all other cases, such as if the client's address is one of the
 * stack's, the source is the host's address.
 */
export function clientPlaces(
  { listen }: Pick<Settings, "listen">,
  own: OwnAddresses,
): (transport: "tcp" | "udp", to: HostPort, client: HostPort | undefined) => ClientPlace {
  const served = { tcp: new BindingTable<ListenSetting>(), udp: new BindingTable<ListenSetting>() };
  for (const setting of listen) {
    const place = parseListenAddress(setting.where);
    served[place.transport].add(place, setting);
  }
  const servedAt = (transport: "tcp" | "udp", { w0, w1, w2, w3 }: IpAddress, port: number) =>
    served[transport].find(w0, w1, w2, w3, port);
  return (transport, to, client) => {
    const address = client && IpAddress.parse(client.hostname.replace(/%.*$/, ""));
    const target = IpAddress.parse(to.hostname);
    if (address === undefined || target === undefined || own.has(address)) return { to };
    if (!address.isUnicast && !address.isLoopback) return { to };
    const from = { hostname: address.toString(), port: client!.port };
    if (address.isV4 === target.isV4) return { to, from };
    const other = own.firstIn(address.isV4 ? FAMILIES.v4 : FAMILIES.v6);
    const setting = servedAt(transport, target, to.port);
    const isSame = other !== undefined && setting !== undefined &&
      servedAt(transport, other, to.port) === setting;
    return isSame ? { to: { hostname: other.toString(), port: to.port }, from } : { to };
  };
}

/** Every address of a family. */
const FAMILIES = { v4: Subnet.parse("0.0.0.0/0")!, v6: Subnet.parse("::/0")! };
