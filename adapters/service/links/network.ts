/**
 * The link and the stack of the service, and how the host connects to it.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import type { TcpOptions } from "../../../core/api/config.ts";
import type { Logger } from "../../../core/api/environment.ts";
import { TcpError } from "../../../core/api/errors.ts";
import { formatHostPort } from "../../../core/api/host_port.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Stack } from "../../../core/api/types.ts";
import type { Link } from "../../../core/stack/link.ts";
import { Subnet } from "../../../core/wire/address.ts";
import { StackDatagrams } from "../../../plugins/shared/stack_datagrams.ts";
import { dialStack } from "../../../plugins/shared/stack_dial.ts";
import { dialHostDatagrams } from "../../host/datagrams.ts";
import { dialHost } from "../../host/dial.ts";
import { linkPair } from "../../links/memory.ts";
import { openKeptTun, openTun, takeOverDevice } from "../../links/tun/mod.ts";
import { messageLine, UsageError } from "../errors.ts";
import { openPeers, type Peers } from "../peers/open_peers.ts";
import { PeerLink } from "../peers/peer_link.ts";
import { clientPlaces } from "../publish/client_places.ts";
import type { Connect } from "../publish/publish.ts";
import type { DialDatagramsFor } from "../publish/publish_datagrams.ts";
import { differenceOf } from "../reload/changes.ts";
import type { Settings } from "../settings/settings.ts";
import { warnOfHostAddresses } from "./host_addresses.ts";
import type { OpenedLink } from "./kind.ts";
import { isOwn, othersAddresses, ownAddresses, showAddress } from "./own_addresses.ts";
import { isThroughKernel, type LinkSetting, openLink } from "./table.ts";
import { logSteering } from "./tun.ts";
import { type LinkControls, wrapLink } from "./wrapped_link.ts";
import type { GenerationLink } from "../upgrade/generation_link.ts";
import { environmentOf, newIdentity, type StackIdentity } from "../upgrade/identity.ts";
import type { ShardInheritance } from "../upgrade/inheritance.ts";
import { keptQueues } from "../upgrade/kept_queues.ts";
import { shareDevice } from "../upgrade/share_device.ts";

/** A stack on a link. */
export interface Network {
  /** The link, as messages show it. */
  readonly place: string;
  /** The stack. */
  readonly stack: Stack;
  /** Lets the admin API change and observe the link; absent without an admin API. */
  readonly controls: LinkControls | undefined;
  /** Connects from the host to an address of the stack, or through the stack to another one. */
  readonly connect: Connect;
  /** The same as {@link connect}, for UDP. */
  readonly dialDatagrams: DialDatagramsFor;
  /**
   * Resolves when duplicate address detection has finished, with the configured addresses that remain;
   * absent for links without it.
   *
   * @throws {Error} All addresses are in use by other stations.
   */
  usableAddresses?(): Promise<readonly string[]>;
  /**
   * Changes the stack's addresses to those of `settings`, and updates the addresses of published
   * clients. `requireChangeable()` has checked them.
   */
  update(settings: Settings): void;
  /** The other instances, if there are any. */
  readonly peers?: Peers | undefined;
  /** The device, if other processes can use it too. */
  readonly shared?: GenerationLink | undefined;
  /** Releases the remaining resources once the stack has closed. */
  close(): Promise<void>;
}

/**
 * Opens the configured TUN device or link, or a memory link.
 *
 * @throws {UsageError} A published port leads to an address that the host cannot reach.
 * @throws {Error} The device or the link cannot be opened; the message says what to do.
 */
export function openNetwork(
  settings: Settings,
  log: Logger,
  identity: StackIdentity = newIdentity(),
  inheritance?: ShardInheritance,
): Promise<Network> | Network {
  const { tun, link } = settings;
  checkAddresses(settings, log);
  if (link === undefined && tun === undefined) return joinInMemory(settings, log, identity);
  if (inheritance?.queue !== undefined) {
    const device = logSteering(takeOverDevice(inheritance.queue), log);
    return networkOnDevice(device, settings, log, identity, inheritance);
  }
  return link === undefined
    ? openDevice(settings, tun!, log, identity)
    : openOther(settings, link, log, identity);
}

/**
 * Checks that the host can reach the addresses that published ports lead to, and warns about addresses that both the
 * stack and the host have.
 *
 * @throws {UsageError} A published port leads to an address that the host cannot reach.
 */
export function checkAddresses(settings: Settings, log: Logger): void {
  const { tun, link, publish, addresses } = settings;
  const own = ownAddresses(settings);
  for (const { to } of publish) {
    const isOwnAddress = isOwn(own, to.hostname);
    if (link !== undefined && !isThroughKernel(link) && isOwnAddress) {
      throw new UsageError(
        `--publish: ${formatHostPort(to)} is the stack's own, which with --link ${link.kind} is ` +
          "reached through the link only: remove it, and connect through the link",
      );
    }
    if (link === undefined && tun === undefined && !isOwnAddress) {
      const there = addresses.map(showAddress).join(", ");
      throw new UsageError(
        `--publish: ${formatHostPort(to)} is not on the memory link: expected ${there}`,
      );
    }
  }
  const isOnDevice = link === undefined ? tun !== undefined : isThroughKernel(link);
  if (isOnDevice) warnOfHostAddresses(addresses, log);
}

async function openOther(
  settings: Settings,
  link: LinkSetting,
  log: Logger,
  identity: StackIdentity,
): Promise<Network> {
  const opened = await openLink(link, { ...settings, log });
  const network = await networkOnDevice(opened, settings, log, identity);
  return {
    ...network,
    place: opened.name,
    usableAddresses: () => removeDuplicates(opened, network.stack, settings),
  };
}

/** Removes duplicate addresses from the stack; the service runs with the remaining ones. */
async function removeDuplicates(
  link: OpenedLink,
  stack: Stack,
  { addresses }: Settings,
): Promise<readonly string[]> {
  const duplicates = await link.probed?.() ?? [];
  const isDuplicate = (text: string) =>
    duplicates.some(({ address }) => address === showAddress(text));
  const usable = addresses.filter((text) => !isDuplicate(text));
  for (const { address } of duplicates) stack.removeAddress(address);
  if (usable.length > 0) return usable;
  const taken = duplicates.map(({ address, mac }) => `${address} (by the station ${mac})`);
  throw new Error(
    `--address: ${taken.join(" and ")} is in use on ${link.name}: choose another address, or add ` +
      "probe=off to --link to use it all the same",
  );
}

async function openDevice(
  settings: Settings,
  name: string,
  log: Logger,
  identity: StackIdentity,
): Promise<Network> {
  const { hostAddresses, mtu, impair } = settings;
  // Without offload there are no super-packets, because impairments apply to single segments.
  const offload = impair === undefined;
  const options = { name, addresses: [...hostAddresses], mtu, offload };
  const [kept] = keptQueues(name, 1);
  const link = kept === undefined
    ? await openTun(options)
    : await openKeptTun(kept, options).catch((error) => {
      // The device was removed in the meantime.
      log.warn("the device that the service manager has kept cannot be used", {
        device: name,
        reason: messageLine(error),
      });
      return openTun(options);
    });
  return await networkOnDevice(logSteering(link, log), settings, log, identity);
}

/**
 * {@link networkOn} a link that other processes can use too if it is a TUN device, with the other instances, if there
 * are any. Closes the link if it cannot be used.
 */
async function networkOnDevice(
  link: Link,
  settings: Settings,
  log: Logger,
  identity: StackIdentity,
  inheritance?: ShardInheritance,
): Promise<Network> {
  const shared = shareDevice(link, identity, inheritance);
  const options = { identity, shared };
  if (settings.peers === undefined) return networkOn(shared ?? link, settings, log, options);
  try {
    const { clock } = environmentOf(identity);
    const peers = await openPeers(settings.peers, log, { clock, descriptor: inheritance?.peers });
    return networkOn(shared ?? link, settings, log, { ...options, peers });
  } catch (error) {
    await (shared ?? link).close();
    throw error;
  }
}

/** Options of {@link networkOn}. */
export interface NetworkOptions {
  /** Default: the identity of a newly started service. */
  readonly identity?: StackIdentity | undefined;
  /** The device below the link, if other processes can use it too. */
  readonly shared?: GenerationLink | undefined;
  /** The other instances. */
  readonly peers?: Peers | undefined;
}

/** A stack on a device, on one of its queues, or on another open link. */
export function networkOn(
  link: Link,
  settings: Settings,
  log: Logger,
  { identity = newIdentity(), shared, peers }: NetworkOptions = {},
): Network {
  const wrapped = wrapLink(link, settings, log);
  const joined = peers === undefined ? wrapped.link : new PeerLink(wrapped.link, peers);
  // The first packet may already be for a connection of another instance: without peers it would be answered with a RST.
  if (shared !== undefined && peers !== undefined) shared.onTakeOver = () => peers.resume();
  const stack = stackOn(joined, settings, log, identity);
  let [current, own] = [settings, ownAddresses(settings)];
  return {
    place: `device ${link.name}`,
    stack,
    controls: wrapped.controls,
    shared,
    update(next) {
      changeAddresses(current, next, stack);
      wrapped.update(next);
      if (next.peers !== undefined && next.peers !== current.peers) peers?.update(next.peers);
      if (!hasSameAddresses(current, next)) own = ownAddresses(next);
      current = next;
    },
    peers,
    // The kernel, at the other end of the device, connects to the stack's own addresses.
    connect: (address, signal) =>
      isOwn(own, address.hostname)
        ? dialHost(address, signal, current)
        : dialStack(stack, address, signal),
    dialDatagrams: (address, signal) =>
      isOwn(own, address.hostname)
        ? dialHostDatagrams(address, signal)
        : Promise.resolve(new StackDatagrams(stack, address)),
    close: () => wrapped.finish(),
  };
}

function joinInMemory(settings: Settings, log: Logger, identity: StackIdentity): Network {
  const { addresses, hostAddresses, mtu, profile } = settings;
  const features = { mtu, maxSuperPacket: 65_535, checksumOffload: true, insideHost: true };
  const [inner, outer] = linkPair(features);
  const wrapped = wrapLink(inner, settings, log);
  const stack = stackOn(wrapped.link, settings, log, identity);
  // The host's stack has every other address, loopback included, so that clients keep their addresses.
  const isAll = addresses.some((text) => Subnet.parse(text)?.prefixLength === 0);
  const host = createStack({
    link: outer,
    addresses: [...hostAddresses, ...LOOPBACK, ...isAll ? [] : ["0.0.0.0/0", "::/0"]],
    exceptAddresses: isAll ? [] : addresses.map(showAddress),
    tcp: { profile },
    log,
  });
  let current = settings;
  let own = ownAddresses(settings);
  let places: ReturnType<typeof clientPlaces> | undefined;
  const placeFor = (...client: Parameters<ReturnType<typeof clientPlaces>>) =>
    (places ??= clientPlaces(current, own))(...client);
  return {
    place: "a memory link",
    stack,
    controls: wrapped.controls,
    update(next) {
      // Each address belongs to only one of the two stacks.
      const { added, removed } = differenceOf(current.addresses, next.addresses);
      for (const text of added) host.removeAddress(showAddress(text));
      changeAddresses(current, next, stack);
      for (const text of removed) host.addAddress(withLength(text));
      wrapped.update(next);
      if (!hasSameAddresses(current, next)) own = ownAddresses(next);
      current = next;
      places = undefined;
    },
    async connect(address, signal, client) {
      const { to, from } = placeFor("tcp", address, client);
      if (from === undefined) return await dialStack(host, to, signal);
      const { hostname: localHostname, port: localPort } = from;
      try {
        return await dialStack(host, to, signal, { localHostname, localPort });
      } catch (error) {
        if (!isTaken(error)) throw error;
        return await dialStack(host, to, signal, { localHostname });
      }
    },
    // deno-lint-ignore require-await -- errors are rejections
    async dialDatagrams(address, _signal, client) {
      const { to, from } = placeFor("udp", address, client);
      try {
        return new StackDatagrams(host, to, from);
      } catch (error) {
        if (from === undefined || !isTaken(error)) throw error;
        return new StackDatagrams(host, to, { hostname: from.hostname });
      }
    },
    async close() {
      await host.close();
      await wrapped.finish();
    },
  };
}

/** Gives a stack the addresses of another configuration. */
function changeAddresses(now: Settings, next: Settings, stack: Stack): void {
  const { added, removed } = differenceOf(now.addresses, next.addresses);
  for (const text of added) stack.addAddress(text);
  const networks = added.map((text) => Subnet.parse(text)!).filter(({ isNetwork }) => isNetwork);
  for (const other of networks.length > 0 ? othersAddresses(next) : []) {
    const { address } = Subnet.parse(other)!;
    if (networks.some((network) => network.contains(address))) stack.removeAddress(`${address}`);
  }
  for (const text of removed) stack.removeAddress(showAddress(text));
}

function hasSameAddresses(now: Settings, next: Settings): boolean {
  return isDeepStrictEqual(
    [now.addresses, othersAddresses(now)],
    [next.addresses, othersAddresses(next)],
  );
}

/** An address or a network in CIDR form, without the rest of an address's subnet. */
function withLength(text: string): string {
  const { isNetwork, address } = Subnet.parse(text)!;
  return isNetwork ? text : `${address}/${address.isV4 ? 32 : 128}`;
}

/** Addresses of clients on the host itself. */
const LOOPBACK = ["127.0.0.0/8", "::1/128"];
/** Whether a client of another published port already uses this address and port in the stack. */
function isTaken(error: unknown): boolean {
  return error instanceof TcpError && error.code === "ADDRESS_IN_USE";
}

function stackOn(
  link: Link,
  settings: Settings,
  log: Logger,
  identity: StackIdentity,
): Stack {
  const { addresses, udp, limits, icmp = [] } = settings;
  return createStack({
    link,
    addresses,
    exceptAddresses: othersAddresses(settings),
    tcp: tcpOptions(settings),
    ...udp && { udp },
    icmp,
    ...limits,
    ...environmentOf(identity),
    log,
  });
}

/**
 * The options of connections. Keep-alive is on by default: nothing else detects that the peer of an
 * idle connection is gone.
 */
export function tcpOptions(
  { profile, keepAliveMs, peers, tcp }: Pick<Settings, "profile" | "keepAliveMs" | "peers" | "tcp">,
): TcpOptions {
  // The timestamps of a segment identify its instance; without them most segments would have to be passed to another
  // instance first.
  const timestamps = peers && { timestamps: true };
  if (keepAliveMs === 0) return { profile, ...timestamps, ...tcp };
  const keepAliveIntervalMs = Math.min(keepAliveMs, MAX_PROBE_INTERVAL_MS);
  return {
    profile,
    keepAlive: true,
    keepAliveIdleMs: keepAliveMs,
    keepAliveIntervalMs,
    ...timestamps,
    ...tcp,
  };
}

/** Maximum interval between keep-alive probes, in milliseconds. */
const MAX_PROBE_INTERVAL_MS = 75_000;
