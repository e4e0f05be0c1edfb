/**
 * The ports that are published by default.
 *
 * @module
 */
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import type { OwnAddresses } from "../../../core/stack/ip/own_addresses.ts";
import { UsageError } from "../errors.ts";
import type { ListenSetting } from "../settings/listen_setting.ts";
import type { PublishSetting } from "../settings/publish_setting.ts";

/** Ports below this one need a privilege. */
const FIRST_FREE_PORT = 1024;
/** Added to privileged ports: 80 becomes 8080, 7 becomes 8007. */
const PRIVILEGED_OFFSET = 8000;

/**
 * Publishes every listen address that has a single TCP port, on 127.0.0.1.
 *
 * @throws {UsageError} There is no such listen address, so nobody could reach the service.
 */
export function publishAll(
  listen: readonly ListenSetting[],
  own: OwnAddresses,
): PublishSetting[] {
  const published = listen.flatMap(({ where }) => publish(where, own));
  if (published.length > 0) return published;
  throw new UsageError(
    `the host cannot reach ${listen.map(({ where }) => where).join(", ")}: publish single ports ` +
      "with --publish, such as 8080=10.7.0.2:80, or a device with --tun",
  );
}

function publish(where: string, own: OwnAddresses): PublishSetting[] {
  const { transport, subnet, firstPort: port, lastPort } = parseListenAddress(where);
  if (transport !== "tcp" || port !== lastPort) return [];
  const address = subnet === undefined ? own.first : own.firstIn(subnet);
  if (address === undefined) return [];
  return [{
    hostname: "127.0.0.1",
    port: port < FIRST_FREE_PORT ? port + PRIVILEGED_OFFSET : port,
    to: { hostname: address.toString(), port },
    allowsNextPort: true,
  }];
}
