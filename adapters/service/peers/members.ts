/**
 * The addresses of the instances: those of the configuration, or those found by DNS.
 *
 * @module
 */
import { lookup, resolveSrv } from "node:dns/promises";
import type { HostPort } from "../../../core/api/host_port.ts";
import { MAX_INSTANCES } from "../../../core/stack/peers/instance_mark.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import type { PeersSetting } from "../settings/peers_setting.ts";

/** IP addresses and ports by the number of the instance. */
export type Members = ReadonlyMap<number, HostPort>;

/** DNS queries. */
export interface NameSource {
  /** An IP address of a host. */
  address(hostname: string): Promise<string>;
  /** The targets of an SRV record (RFC 2782). */
  targets(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
}

/** The resolver of the host. */
export const HOST_NAMES: NameSource = {
  address: async (hostname) => (await lookup(hostname)).address,
  targets: (name) => resolveSrv(name),
};

/** Whether {@link findMembers} uses DNS, so that the addresses may change. */
export function usesDns(members: PeersSetting["members"]): boolean {
  return typeof members === "string" ||
    Object.values(members).some(({ hostname }) => IpAddress.parse(hostname) === undefined);
}

/**
 * Finds the addresses. In an SRV record, the number of an instance is at the end of the first label of its target, as
 * in `berth-3.service.example`. Targets without a number are left out. If several targets have the same number, the
 * first one in the order of names is used.
 *
 * A name that cannot be resolved keeps the address that it had `before`.
 *
 * @throws {Error} The SRV record cannot be resolved.
 */
export async function findMembers(
  members: PeersSetting["members"],
  before: Members,
  names: NameSource = HOST_NAMES,
): Promise<Members> {
  const listed = typeof members === "string"
    ? await listTargets(members, names)
    : Object.entries(members);
  const found = await Promise.all(listed.map(async ([number, { hostname, port }]) => {
    if (IpAddress.parse(hostname) !== undefined) {
      return [Number(number), { hostname, port }] as const;
    }
    const address = await names.address(hostname).catch(() => before.get(Number(number))?.hostname);
    if (address === undefined) return undefined;
    return [Number(number), { hostname: address, port }] as const;
  }));
  return new Map(found.filter((one) => one !== undefined));
}

async function listTargets(name: string, names: NameSource): Promise<[string, HostPort][]> {
  const targets = [...await names.targets(name)].sort((a, b) => a.name < b.name ? -1 : 1);
  // However many targets the answer has, at most MAX_INSTANCES names are looked up.
  const found = new Map<string, HostPort>();
  for (const { name: hostname, port } of targets) {
    const [, number] = /^[^.]*?(\d+)(?:\.|$)/.exec(hostname) ?? [];
    if (number === undefined || Number(number) >= MAX_INSTANCES) continue;
    const key = String(Number(number));
    if (!found.has(key)) found.set(key, { hostname, port });
  }
  return [...found];
}
