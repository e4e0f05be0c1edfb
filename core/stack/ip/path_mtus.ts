/**
 * How large packets to a peer may be where a router said so (RFC 8201). IPv4 datagrams need none of
 * it: routers cut them.
 *
 * @module
 */
import type { IpAddress } from "../../wire/address.ts";

/** Peers that are remembered, at most; the one that was told about first is forgotten. */
export const MAX_PATHS = 1024;
/** RFC 8201 4: then a larger one is tried again. */
const FORGET_AFTER_MS = 10 * 60_000;
/** RFC 8201 4: nothing below is believed. */
const LEAST_MTU = 1280;

interface Path {
  readonly mtu: number;
  readonly until: number;
}

/** The paths that are narrower than the link. */
export class PathMtus {
  readonly #paths = new Map<string, Path>();

  /** A router says that packets to `remote` may have `mtu` bytes; false: that cannot be. */
  learn(remote: IpAddress, mtu: number, now: number): boolean {
    if (remote.isV4 || mtu < LEAST_MTU) return false;
    const key = remote.toString();
    const known = this.to(remote, now);
    if (known !== undefined && known <= mtu) return false;
    if (this.#paths.size === MAX_PATHS) this.#paths.delete(this.#paths.keys().next().value!);
    this.#paths.set(key, { mtu, until: now + FORGET_AFTER_MS });
    return true;
  }

  /** The largest packet to `remote`, if it is known. */
  to(remote: IpAddress, now: number): number | undefined {
    if (this.#paths.size === 0) return undefined;
    const key = remote.toString();
    const path = this.#paths.get(key);
    if (path === undefined || path.until > now) return path?.mtu;
    this.#paths.delete(key);
    return undefined;
  }
}
