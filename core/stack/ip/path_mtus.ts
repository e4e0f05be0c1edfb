/**
 * Path MTUs of IPv6 peers, learned from packet-too-big errors (RFC 8201). IPv4 datagrams need none,
 * since routers fragment them.
 *
 * @module
 */
import type { IpAddress } from "../../wire/address.ts";

/** Maximum number of peers remembered; beyond that the oldest entry is evicted. */
export const MAX_PATHS = 1024;
/** RFC 8201 4: after this time a larger MTU is tried again. */
const PATH_MTU_TIMEOUT_MS = 10 * 60_000;
/** RFC 8201 4: lower values are ignored. */
const MIN_MTU = 1280;

interface Path {
  readonly mtu: number;
  readonly until: number;
}

/** The paths whose MTU is smaller than the link's. */
export class PathMtus {
  readonly #paths = new Map<string, Path>();

  /** Records the MTU of a packet-too-big error; returns false if it is to be ignored. */
  learn(remote: IpAddress, mtu: number, now: number): boolean {
    if (remote.isV4 || mtu < MIN_MTU) return false;
    const key = remote.toString();
    const known = this.to(remote, now);
    if (known !== undefined && known <= mtu) return false;
    if (this.#paths.size === MAX_PATHS) this.#paths.delete(this.#paths.keys().next().value!);
    this.#paths.set(key, { mtu, until: now + PATH_MTU_TIMEOUT_MS });
    return true;
  }

  /** The path MTU to `remote`, if known. */
  to(remote: IpAddress, now: number): number | undefined {
    if (this.#paths.size === 0) return undefined;
    const key = remote.toString();
    const path = this.#paths.get(key);
    if (path === undefined || path.until > now) return path?.mtu;
    this.#paths.delete(key);
    return undefined;
  }
}
