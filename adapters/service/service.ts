/**
 * The service: a stack, plugins on its ports, and ports of the host that lead into it.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";
import { openNetwork } from "./links/network.ts";
import { loadPlugins, serve } from "./listen/serve.ts";
import type { PublishedPort } from "./publish/publish.ts";
import type { Settings } from "./settings/settings.ts";
import { startWorkers } from "./workers/supervisor.ts";

/** A service that runs. */
export interface Service {
  /** What the stack is on, for people. */
  readonly place: string;
  /** The addresses of the settings that it has. */
  readonly addresses: readonly string[];
  /** Ports of the host that are open, as `publish` lists them. */
  readonly published: readonly PublishedPort[];
  /** Counters of the stack, or the sums of all workers'. */
  stats(): Promise<Readonly<Record<string, number>>>;
  /**
   * Takes no new connections, lets running ones finish within the grace time, aborts the rest and
   * removes what was set up.
   */
  stop(): Promise<void>;
  /** Rejects when the link or a worker failed; resolves when the service has stopped. */
  readonly finished: Promise<void>;
}

/**
 * Starts what the settings say. When a part of it fails the parts before it are removed again.
 *
 * @throws {UsageError} A setting cannot be used.
 * @throws {Error} The device, a port or a worker cannot be had.
 */
export function startService(settings: Settings, log: Logger): Promise<Service> {
  return settings.workers > 1 ? startWorkers(settings, log) : startHere(settings, log);
}

async function startHere(settings: Settings, log: Logger): Promise<Service> {
  const plugins = await loadPlugins(settings);
  const network = await openNetwork(settings, log);
  const { published, finished, stats, stop } = await serve(plugins, network, settings, log);
  try {
    // The link may break while it waits.
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
