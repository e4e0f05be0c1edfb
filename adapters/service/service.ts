/**
 * The service: a stack, plugins on its ports, and ports of the host that lead into it.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";
import { logConnections } from "./connection_log.ts";
import { type Network, openNetwork } from "./network.ts";
import { type LoadedPlugin, loadPlugin } from "./plugin_loader.ts";
import { type Publication, publish } from "./publish.ts";
import type { Settings } from "./settings.ts";

/** A service that runs. */
export interface Service {
  /** What the stack is on, for people. */
  readonly place: string;
  /** Ports of the host that are open, as `publish` lists them. */
  readonly published: readonly Publication[];
  /**
   * Takes no new connections, lets running ones finish within the grace time, aborts the rest and
   * removes what was set up.
   */
  stop(): Promise<void>;
  /** Rejects when the link failed; resolves when the service has stopped. */
  readonly finished: Promise<void>;
}

/**
 * Starts what the settings say. When a part of it fails the parts before it are removed again.
 *
 * @throws {UsageError} A setting cannot be used.
 * @throws {Error} The device or a port cannot be had.
 */
export async function startService(settings: Settings, log: Logger): Promise<Service> {
  const plugins = await loadPlugins(settings);
  const network = await openNetwork(settings, log);
  const published: Publication[] = [];
  const stop = () => stopService(network, published, settings.graceMs);
  try {
    for (const [port, { name, handler }] of plugins) {
      network.stack.use(port, logConnections(name, log), handler);
    }
    for (const setting of settings.publish) {
      published.push(await publish(setting, network.connect, log));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { place: network.place, published, stop, finished: network.stack.finished };
}

async function loadPlugins({ listen }: Settings): Promise<[number, LoadedPlugin][]> {
  const plugins: [number, LoadedPlugin][] = [];
  for (const setting of listen) plugins.push([setting.port, await loadPlugin(setting)]);
  return plugins;
}

async function stopService(
  { stack, close }: Network,
  published: readonly Publication[],
  graceMs: number,
): Promise<void> {
  for (const publication of published) publication.stopListening();
  await Promise.all([
    stack.close({ graceMs }),
    ...published.map((publication) => publication.finish(graceMs)),
  ]);
  await close();
}
