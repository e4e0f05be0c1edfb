/**
 * Services that answer every datagram.
 *
 * @module
 */

/** Echo, daytime, quote of the day, character generator, time: RFC 862 to RFC 868. */
const PORTS: ReadonlySet<number> = new Set([7, 13, 17, 19, 37]);

/**
 * Whether a datagram from this port may be the reply of such a service. After one datagram with a forged source, two
 * services would answer each other forever, so the plugins for these services do not answer datagrams from these ports.
 */
export function isSimpleService(port: number): boolean {
  return PORTS.has(port);
}
