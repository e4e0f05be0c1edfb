/**
 * The lines that the service prints when it has started.
 *
 * @module
 */
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import { BindingTable } from "../../../core/stack/binding_table.ts";
import type { OwnAddresses } from "../../../core/stack/ip/own_addresses.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { ownAddresses, showAddress } from "../links/own_addresses.ts";
import type { PublishedPort } from "../publish/publish.ts";
import type { Service } from "../service.ts";
import type { ListenSetting } from "../settings/listen_setting.ts";
import type { Settings } from "../settings/settings.ts";

/** A line for the addresses, and one for each published port or listen address. */
export function announce(
  settings: Settings,
  { place, published }: Pick<Service, "place" | "published">,
): string {
  const { addresses, listen } = settings;
  const serving = new BindingTable<ListenSetting>();
  for (const each of listen) {
    const where = parseListenAddress(each.where);
    if (where.transport === "tcp") serving.add(where, each);
  }
  const own = ownAddresses(settings);
  const lines = [
    `berth answers ${addresses.map(showAddress).join(" and ")} on ${place}`,
    ...published.map((publication) => describePublication(publication, serving)),
    ...(published.length > 0 ? [] : listen.map((each) => describePlace(each, own))),
    "Ctrl+C ends it",
  ];
  return lines.join("\n");
}

function describePublication(
  { address, to, transport }: PublishedPort,
  serving: BindingTable<ListenSetting>,
): string {
  if (transport === "udp") {
    return `  send to udp/${formatHostPort(address)} for udp/${formatHostPort(to)}`;
  }
  const { w0, w1, w2, w3 } = IpAddress.parse(to.hostname) ?? IpAddress.ANY_V4;
  const setting = serving.find(w0, w1, w2, w3, to.port);
  const plugin = setting ? `, ${setting.plugin}` : "";
  return `  ${accessHint(address, setting)} for ${formatHostPort(to)}${plugin}`;
}

function describePlace(setting: ListenSetting, own: OwnAddresses): string {
  const { transport, subnet, firstPort: port, lastPort } = parseListenAddress(setting.where);
  const address = subnet === undefined ? own.first : own.firstIn(subnet);
  if (transport === "udp" || port !== lastPort || address === undefined) {
    return `  ${setting.where}: ${setting.plugin}`;
  }
  return `  ${accessHint({ hostname: address.toString(), port }, setting)}: ${setting.plugin}`;
}

/** How to reach an address: a URL for plugins that a browser can talk to. */
function accessHint(address: HostPort, setting: ListenSetting | undefined): string {
  const place = formatHostPort(address);
  const isWeb = setting !== undefined && /^(http:|files:|demo$)/.test(setting.plugin);
  if (!isWeb) return `connect to ${place}`;
  const isSecure = setting.before?.some(({ plugin }) => /^tls(:|$)/.test(plugin)) ?? false;
  return isSecure
    ? `open https://${place.replace(/:443$/, "")}/`
    : `open http://${place.replace(/:80$/, "")}/`;
}
