/**
 * Services that answer whatever datagram they get.
 *
 * @module
 */

/** Echo, daytime, quote of the day, character generator, time: RFC 862 to RFC 868. */
const PORTS: ReadonlySet<number> = new Set([7, 13, 17, 19, 37]);

/**
 * Whether a datagram from this port may be such a service's answer. Two that answer each other never
 * end, and one datagram with a forged source sets them off; so they do not answer one another.
 */
export function isSimpleService(port: number): boolean {
  return PORTS.has(port);
}
