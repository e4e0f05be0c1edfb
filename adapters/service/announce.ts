/**
 * What the service says when it has started.
 *
 * @module
 */
import { formatHostPort, type HostPort } from "../../core/api/host_port.ts";
import type { PublishedPort } from "./publish.ts";
import type { Service } from "./service.ts";
import type { ListenSetting, Settings } from "./settings.ts";

/** Where everything is, for people: one line for each port. */
export function announce(
  { addresses, listen }: Settings,
  { place, published }: Pick<Service, "place" | "published">,
): string {
  const hosts = addresses.map((address) => address.split("/")[0]!);
  const lines = [
    `berth answers ${hosts.join(" and ")} on ${place}`,
    ...published.map((publication) => describePublication(publication, listen)),
    ...(published.length > 0 ? [] : listen.map((each) => describePort(hosts[0]!, each))),
    "Ctrl+C ends it",
  ];
  return lines.join("\n");
}

function describePublication(
  { address, to }: PublishedPort,
  listen: readonly ListenSetting[],
): string {
  const setting = listen.find(({ port }) => port === to.port);
  const plugin = setting ? `, ${setting.plugin}` : "";
  return `  ${invite(address, setting)} for ${formatHostPort(to)}${plugin}`;
}

function describePort(hostname: string, setting: ListenSetting): string {
  return `  ${invite({ hostname, port: setting.port }, setting)}: ${setting.plugin}`;
}

/** What a reader can do with an address: a URL where a browser is of use. */
function invite(address: HostPort, setting: ListenSetting | undefined): string {
  const place = formatHostPort(address);
  const web = setting !== undefined && /^(http:|demo$)/.test(setting.plugin);
  return web ? `open http://${place.replace(/:80$/, "")}/` : `connect to ${place}`;
}
