import { type HostPort, parseHostPort } from "../../core/api/host_port.ts";
import { IpAddress } from "../../core/wire/address.ts";

/**
 * Reads an address of the host's network, `"192.0.2.2"`, `"192.0.2.2:4789"`, `"fd00::2"` or
 * `"[fd00::2]:4789"`. Names are not looked up.
 *
 * @param defaultPort The port where none is given; without it one has to be.
 * @throws {TypeError} It is none; the message begins with `option`.
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
