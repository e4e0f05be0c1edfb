/**
 * Services that answer every datagram.
 *
 * @module
 */

/** Echo, daytime, quote of the day, character generator, time: RFC 862 to RFC 868. */
const PORTS: ReadonlySet<number> = new Set([7, 13, 17, 19, 37]);

/**
 * Whether a datagram from this port may be the answer of such a service. One datagram with a forged
 * source would make two of them answer each other for ever, so they do not answer these ports.
 */
export function isSimpleService(port: number): boolean {
  return PORTS.has(port);
}
