import { type HostPort, parseHostPort } from "../../core/api/host_port.ts";
import { IpAddress } from "../../core/wire/address.ts";

/**
 * Parses an address of the host's network: `"192.0.2.2"`, `"192.0.2.2:4789"`, `"fd00::2"` or
 * `"[fd00::2]:4789"`. Host names are not accepted.
 *
 * @param defaultPort The port to use if none is given; without it, a port is required.
 * @throws {TypeError} The text is not such an address; the message starts with `option`.
 */
export function parseHostEndpoint(option: string, text: string, defaultPort?: number): HostPort {
  const alone = defaultPort === undefined ? undefined : IpAddress.parse(text);
  if (alone !== undefined) return { hostname: alone.toString(), port: defaultPort! };
  const given = parseHostPort(text);
  const address = given && IpAddress.parse(given.hostname);
  if (given && address) return { hostname: address.toString(), port: given.port };
  throw new TypeError(
    `${option}: expected an address such as 192.0.2.2:4789 or [2001:db8::2]:4789, got ${text}`,
  );
}
