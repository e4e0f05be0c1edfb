/**
 * What a process takes over from the one that it replaces.
 *
 * @module
 */
import type { ShardSeed } from "../../../core/stack/sharding/shard.ts";
import type { Device } from "../../links/tun/device.ts";
import type { Settings } from "../settings/settings.ts";
import type { EarlierChannel } from "./generation_link.ts";
import type { StackIdentity } from "./identity.ts";

/** What another process needs for one shard. Descriptors are numbers in this process. */
export interface SharedShard {
  /** The queue of the device, if there is a device. */
  readonly queue?: Device | undefined;
  /** The socket for messages of other instances. */
  readonly peers?: number | undefined;
  /** Channels to earlier processes that still have connections. */
  readonly earlier: readonly EarlierChannel[];
  /** Descriptors of published ports, by the name of the port. */
  readonly listeners: readonly (readonly [name: string, descriptor: number])[];
}

/** What a shard takes over. It can be sent to a worker. */
export interface ShardInheritance extends SharedShard {
  /** The number of the process that hands over. */
  readonly predecessor: number;
  /** A channel to that process; `undefined` without a device. */
  readonly channel: number | undefined;
}

/** What a process takes over. */
export interface Inheritance {
  readonly identity: StackIdentity;
  /** The seed of the shards. */
  readonly seed: ShardSeed;
  readonly shards: readonly ShardInheritance[];
}

/** How another process takes over a running service. */
export interface Handover {
  readonly identity: StackIdentity;
  /** The seed of the shards. */
  readonly seed: ShardSeed;
  /** What the other process needs; one entry per shard. */
  share(): Promise<readonly SharedShard[]>;
  /**
   * Hands over to the process at the other end of `channels`, one per shard with a device.
   *
   * @throws {Error} This process cannot hand over; call {@link resume}.
   */
  retire(channels: readonly number[]): Promise<void>;
  /** Closes published ports, by name, that the process that took over does not have. */
  drop(listeners: readonly string[]): Promise<void>;
  /** Resumes everything, because the process that took over has ended. */
  resume(): Promise<void>;
  /** Moves connections to the process that has taken over, from now on. */
  startMoving(): Promise<void>;
  /** Whether no connection is left. */
  isIdle(): Promise<boolean>;
  /** Accepts clients at published ports. A process that takes over does so only from this call on. */
  begin(): Promise<void>;
}

/** The settings that a process that takes over must have in common with the one before. */
export const COMMON_SETTINGS = [
  "tun",
  "link",
  "mtu",
  "workers",
  "hostAddresses",
  "admin",
  "peers",
] as const;

/** The value of each of {@link COMMON_SETTINGS}, as text. */
export type CommonSettings = Readonly<Record<typeof COMMON_SETTINGS[number], string>>;

/** The settings of a process, for {@link upgradeFault}. */
export function commonSettings(settings: Settings): CommonSettings {
  const text = (value: unknown) =>
    value === undefined ? "none" : typeof value === "object" ? JSON.stringify(value) : `${value}`;
  const { members: _, ...instance } = settings.peers ?? {};
  // The token of the admin API may change.
  const common = { ...settings, peers: settings.peers && instance, admin: settings.admin?.listen };
  return Object.fromEntries(
    COMMON_SETTINGS.map((key) => [key, text(common[key])]),
  ) as CommonSettings;
}

/** Why a process with other settings cannot take over; `undefined` if it can. */
export function upgradeFault(
  now: Partial<CommonSettings>,
  next: CommonSettings,
): string | undefined {
  // A process of an older version may lack some keys.
  const differs = (key: typeof COMMON_SETTINGS[number]) =>
    now[key] !== undefined && now[key] !== next[key];
  const faults = COMMON_SETTINGS.filter(differs).map((key) => {
    // Objects may have secrets, so they are not shown.
    const isPlain = [now[key], next[key]].every((text) => !/^[{[]/.test(text!));
    const change = isPlain
      ? `${key}: ${now[key]} cannot become ${next[key]}`
      : `${key} cannot change`;
    return `${change} in an upgrade, because the new process takes it over: restart the service`;
  });
  return faults.length === 0 ? undefined : faults.join("\n");
}

/** Why no other process can take over a service; `undefined` if one can. */
export function unshareableReason({ link, capture }: Settings): string | undefined {
  if (capture !== undefined) {
    return "capture: two processes cannot write one recording: restart the service without it";
  }
  if (link === undefined || link.kind === "tun" || link.kind === "fd") return undefined;
  return `link: two processes cannot share a link of kind ${link.kind}, only a TUN device or the ` +
    "published ports of the memory link: use berth drain, and restart the service";
}
