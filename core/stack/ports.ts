/**
 * Ephemeral ports (RFC 6056).
 *
 * @module
 */

/** IANA's dynamic ports. */
export const EPHEMERAL_PORTS_FROM = 49152;
const COUNT = 16384;

/**
 * Chooses a port by a keyed hash of the destination plus a counter (RFC 6056 3.3.3). Returns
 * `undefined` if every port is taken.
 */
export function choosePort(
  offset: number,
  counter: number,
  isFree: (port: number) => boolean,
): number | undefined {
  for (let i = 0; i < COUNT; i++) {
    const port = EPHEMERAL_PORTS_FROM + ((offset >>> 0) + counter + i) % COUNT;
    if (isFree(port)) return port;
  }
  return undefined;
}
