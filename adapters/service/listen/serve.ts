/**
 * Plugins on the ports of one stack, and ports of the host that lead into it.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import { compose } from "../../../core/api/plugin.ts";
import { composeFlows } from "../../../core/api/udp/flow_chain.ts";
import { rememberResponseText } from "../../../plugins/shared/http/remembered_text.ts";
import { messageOf, UsageError } from "../errors.ts";
import type { Network } from "../links/network.ts";
import { type Publication, publish, type PublishedPort } from "../publish/publish.ts";
import { publishDatagrams } from "../publish/publish_datagrams.ts";
import type { PublishSetting } from "../settings/publish_setting.ts";
import type { ListenSetting } from "../settings/listen_setting.ts";
import type { Settings } from "../settings/settings.ts";
import { logConnections } from "./connection_log.ts";
import { loadChain, type LoadedChain } from "./plugin_loader.ts";

/** Plugins by place. */
export type NamedPlugins = readonly (readonly [where: string, chain: LoadedChain])[];

/** A stack that serves. */
export interface ServingStack {
  /** Ports of the host that are open, as `publish` lists them. */
  readonly published: readonly PublishedPort[];
  /** Resolves when the stack has closed; rejects when its link failed. */
  readonly finished: Promise<void>;
  /** Counters of the stack. */
  stats(): Readonly<Record<string, number>>;
  /** Takes no new connections and ends; see `CloseOptions` for `whenDrained`. */
  stop(whenDrained?: () => Promise<void>): Promise<void>;
}

/**
 * Loads what the settings name.
 *
 * @throws {UsageError} A plugin cannot be had.
 */
export async function loadPlugins({ listen }: Settings): Promise<NamedPlugins> {
  rememberResponseText();
  const plugins: [string, LoadedChain][] = [];
  for (const setting of listen) {
    const chain = await loadChain(setting);
    checkTransport(setting, chain);
    plugins.push([setting.where, chain]);
  }
  return plugins;
}

/** Not every plugin takes datagrams, and not every one connections. */
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
 * Puts plugins on a network and publishes ports. When a part of it fails everything is removed.
 *
 * @throws {Error} A port cannot be had.
 */
export async function serve(
  plugins: NamedPlugins,
  network: Network,
  settings: Settings,
  log: Logger,
): Promise<ServingStack> {
  const { stack } = network;
  const published: Publication[] = [];
  const stop = (whenDrained?: () => Promise<void>) =>
    stopServing(network, published, settings.graceMs, whenDrained);
  try {
    for (const [where, { name, handlers }] of plugins) {
      const [first, ...rest] = handlers;
      if (isUdp(where)) stack.use(where, first!, ...rest);
      else stack.use(where, logConnections(name, log), ...handlers);
    }
    for (const setting of settings.publish) {
      published.push(await publishOne(setting, network, log, settings));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { published, finished: stack.finished, stats: () => stack.stats(), stop };
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
