/**
 * The service: a stack, plugins on its ports, and ports of the host that lead into it.
 *
 * @module
 */
import { type Logger, silentLogger } from "../../core/api/environment.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import { parseListenAddress } from "../../core/api/listen_address.ts";
import { compose } from "../../core/api/plugin.ts";
import type { Plugin } from "../../core/api/types.ts";
import { composeFlows } from "../../core/api/udp/flow_chain.ts";
import { logConnection, logFlow } from "../../plugins/shared/connection_log.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { nativeSockets } from "../host/native/sockets.ts";
import { linkPair } from "../links/memory.ts";
import { rememberResponseText } from "../runtime/fetch/mod.ts";
import { messageOf, UsageError } from "./errors.ts";
import { limitLines } from "./flow_log.ts";
import { checkAddresses, type Network, networkOn, openNetwork } from "./links/network.ts";
import { ownAddresses } from "./links/own_addresses.ts";
import { loadChain, type LoadedChain } from "./listen/plugin_loader.ts";
import { type Publication, publish, type PublishedPort } from "./publish/publish.ts";
import { publishDatagrams } from "./publish/publish_datagrams.ts";
import type { ListenSetting } from "./settings/listen_setting.ts";
import type { PublishSetting } from "./settings/publish_setting.ts";
import type { Settings } from "./settings/settings.ts";

/** A running service. */
export interface Service {
  /** The link that the stack is on, as messages show it. */
  readonly place: string;
  /** The configured addresses that the stack has. */
  readonly addresses: readonly string[];
  /** The open ports of the host. */
  readonly published: readonly PublishedPort[];
  /** Counters of the stack, or the sums of all workers'. */
  stats(): Promise<Readonly<Record<string, number>>>;
  /**
   * Accepts no new connections, lets running ones finish within the grace time, aborts the rest and
   * removes what was set up.
   */
  stop(): Promise<void>;
  /** Rejects when the link or a worker has failed; resolves when the service has stopped. */
  readonly finished: Promise<void>;
}

/** The plugins of each listen address. */
export type LoadedPlugins = readonly (readonly [where: string, chain: LoadedChain])[];

/** A stack with plugins and published ports. */
export interface ServingStack {
  /** The open ports of the host. */
  readonly published: readonly PublishedPort[];
  /** Resolves when the stack has closed; rejects when its link has failed. */
  readonly finished: Promise<void>;
  /** Counters of the stack. */
  stats(): Readonly<Record<string, number>>;
  /** Accepts no new connections and ends; see `CloseOptions` for `whenDrained`. */
  stop(whenDrained?: () => Promise<void>): Promise<void>;
}

/**
 * Starts the service on one stack in this thread. If a step fails, those before it are undone.
 *
 * @throws {UsageError} A setting cannot be used.
 * @throws {Error} The device, the link or a port is not available.
 */
export async function startService(settings: Settings, log: Logger): Promise<Service> {
  const plugins = await loadPlugins(settings);
  const network = await openNetwork(settings, log);
  const { published, finished, stats, stop } = await serve(plugins, network, settings, log);
  try {
    // The link may fail while its addresses are probed.
    const usable = await Promise.race([network.usableAddresses?.(), finished]);
    return {
      place: network.place,
      addresses: usable ?? settings.addresses,
      published,
      finished,
      stats: () => Promise.resolve(stats()),
      stop: () => stop(),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Reports what {@link startService} would refuse, without opening a link, a port or a capture file: the
 * plugins run on a stack whose link discards everything. Faults that only the host can report, such as
 * a port that is in use, are not found. Warnings of the start are logged.
 *
 * @throws {UsageError} A setting cannot be used.
 */
export async function checkService(settings: Settings, log: Logger): Promise<void> {
  checkAddresses(settings, log);
  for (const setting of settings.publish) warnIfUnserved(setting, settings, log);
  const plugins = await loadPlugins(settings);
  const { capture: _capture, impair: _impair, ...others } = settings;
  const isolated = { ...others, publish: [], graceMs: 0 };
  const [link] = linkPair({ mtu: settings.mtu });
  const { stop } = await serve(
    plugins,
    networkOn(link, isolated, silentLogger),
    isolated,
    silentLogger,
  );
  await stop();
}

/**
 * Loads the plugins of all listen addresses.
 *
 * @throws {UsageError} A plugin cannot be loaded, or does not fit the transport of its address; the
 * message has a line for each.
 */
export async function loadPlugins({ listen }: Settings): Promise<LoadedPlugins> {
  rememberResponseText();
  const plugins: [string, LoadedChain][] = [];
  const faults: string[] = [];
  for (const setting of listen) {
    try {
      const chain = await loadChain(setting);
      checkTransport(setting, chain);
      plugins.push([setting.where, chain]);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      faults.push(error.message);
    }
  }
  if (faults.length > 0) throw new UsageError(faults.join("\n"));
  return plugins;
}

/** Checks that each plugin handles the transport of its address: some handle only one. */
function checkTransport({ where, source }: ListenSetting, { handlers }: LoadedChain): void {
  try {
    if (isUdp(where)) composeFlows(handlers);
    else compose(handlers);
  } catch (error) {
    throw new UsageError(`${source}: ${messageOf(error)}`);
  }
}

function isUdp(where: string): boolean {
  return parseListenAddress(where).transport === "udp";
}

/**
 * Binds plugins on a network and publishes ports. If a step fails, everything is removed.
 *
 * @throws {Error} A port is not available.
 */
export async function serve(
  plugins: LoadedPlugins,
  network: Network,
  settings: Settings,
  log: Logger,
): Promise<ServingStack> {
  const { stack } = network;
  log.debug("host sockets", { by: nativeSockets() ? "foreign functions" : "node:net" });
  const published: Publication[] = [];
  const stop = (whenDrained?: () => Promise<void>) =>
    stopServing(network, published, settings.graceMs, whenDrained);
  try {
    const flowLog = limitLines(log);
    for (const [where, { name, handlers }] of plugins) {
      stack.use(where, connectionLog(name, log, flowLog), ...handlers);
    }
    for (const setting of settings.publish) {
      warnIfUnserved(setting, settings, log);
      published.push(await publishOne(setting, network, log, settings));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { published, finished: stack.finished, stats: () => stack.stats(), stop };
}

/** Warns about published ports without a listener. Not an error, since a plugin may open ports itself. */
function warnIfUnserved(
  { transport, to }: PublishSetting,
  settings: Settings,
  log: Logger,
): void {
  const address = IpAddress.parse(to.hostname);
  if (address === undefined || !ownAddresses(settings).has(address)) return;
  const serves = ({ where }: ListenSetting) => {
    const { transport: its, subnet, firstPort, lastPort } = parseListenAddress(where);
    return its === (transport ?? "tcp") && (subnet?.contains(address) ?? true) &&
      firstPort <= to.port && to.port <= lastPort;
  };
  if (settings.listen.some(serves)) return;
  const listen = `${transport === "udp" ? "udp/" : ""}${to.port}=PLUGIN`;
  log.warn("no plugin listens on the target of --publish", {
    to: formatHostPort(to),
    hint: `--listen ${listen}`,
  });
}

/** Logs a line for each connection and flow that has ended; goes in front of a port's plugins. */
function connectionLog(plugin: string, log: Logger, flowLog: Logger): Plugin {
  return {
    // Other log lines name the port's plugin alone.
    name: "",
    handle: (c, next) => logConnection(c, next, log, "info", { plugin }),
    flow: (c, next) => logFlow(c, next, flowLog, "info", { plugin }),
  };
}

function publishOne(
  setting: PublishSetting,
  { connect, dialDatagrams }: Network,
  log: Logger,
  { keepAliveMs }: Settings,
): Promise<Publication> {
  return setting.transport === "udp"
    ? publishDatagrams(setting, dialDatagrams, log)
    : publish(setting, connect, log, { keepAliveMs });
}

async function stopServing(
  { stack, close }: Network,
  published: readonly Publication[],
  graceMs: number,
  whenDrained: (() => Promise<void>) | undefined,
): Promise<void> {
  for (const publication of published) publication.stopListening();
  await Promise.all([
    stack.close(whenDrained === undefined ? { graceMs } : { graceMs, whenDrained }),
    ...published.map((publication) => publication.finish(graceMs)),
  ]);
  await close();
}
