/**
 * What the service serves and how it is reached, for the demo's page.
 *
 * @module
 */
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import type { PublishedPort } from "../publish/publish.ts";
import { ownAddresses } from "../links/own_addresses.ts";
import type { Settings } from "../settings/settings.ts";

/** A listen address. */
export interface Place {
  readonly where: string;
  readonly plugin: string;
  /** A URL or a command, from this machine; absent for datagrams, ranges of ports, and what is not published. */
  readonly access?: string;
}

/** What runs on a stack. */
export interface Served {
  readonly settings: Settings;
  readonly published: readonly PublishedPort[];
}

const served = new WeakMap<object, Served>();

/** Records what a stack serves. The getters of `what` are read at each request. */
export function setServed(stack: object, what: Served): void {
  served.set(stack, what);
}

/** What a stack serves; empty for a stack without a service. */
export function placesOf(stack: object): readonly Place[] {
  const found = served.get(stack);
  return found?.settings.listen.map(({ where, plugin, before = [] }) => {
    const chain = [...before.map((each) => each.plugin), plugin];
    const access = accessTo(where, plugin, found);
    return { where, plugin: chain.join(" → "), ...access !== undefined && { access } };
  }) ?? [];
}

function accessTo(
  where: string,
  plugin: string,
  { settings, published }: Served,
): string | undefined {
  const { transport, subnet, firstPort, lastPort } = parseListenAddress(where);
  if (transport === "udp" || firstPort !== lastPort) return undefined;
  const publication = published.find(({ to, transport = "tcp" }) =>
    transport === "tcp" && to.port === firstPort
  );
  const own = ownAddresses(settings);
  const isOnMemoryLink = settings.tun === undefined && settings.link === undefined;
  const address = isOnMemoryLink
    ? undefined
    : subnet === undefined
    ? own.first
    : own.firstIn(subnet);
  const hostname = publication?.address.hostname ?? address?.toString();
  const port = publication?.address.port ?? firstPort;
  if (hostname === undefined) return undefined;
  if (!/^(http:|files:|demo$)/.test(plugin)) return `nc ${hostname} ${port}`;
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return port === 80 ? `http://${host}/` : `http://${host}:${port}/`;
}
