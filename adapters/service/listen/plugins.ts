/**
 * The plugins of all listen addresses.
 *
 * @module
 */
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import { compose } from "../../../core/api/plugin.ts";
import { composeFlows } from "../../../core/api/udp/flow_chain.ts";
import { rememberResponseText } from "../../runtime/fetch/mod.ts";
import { messageLine, UsageError } from "../errors.ts";
import type { ListenSetting } from "../settings/listen_setting.ts";
import type { Settings } from "../settings/settings.ts";
import { disposePlugins, loadChain, type LoadedChain, type LoadedPlugin } from "./plugin_loader.ts";

/** The plugins of each listen address. */
export type LoadedPlugins = readonly (readonly [where: string, chain: LoadedChain])[];

/**
 * Loads the plugins of all listen addresses. Plugins of `previous` are kept if neither their
 * settings nor their code have changed.
 *
 * @throws {UsageError} A plugin cannot be loaded, or does not fit the transport of its address; the
 * message has a line for each.
 */
export async function loadPlugins(
  { listen }: Pick<Settings, "listen">,
  previous: LoadedPlugins = [],
): Promise<LoadedPlugins> {
  rememberResponseText();
  const plugins: [string, LoadedChain][] = [];
  const faults: string[] = [];
  const kept = new Map(previous.map(([where, { plugins }]) => [where, plugins]));
  const made: LoadedPlugin[] = [];
  for (const setting of listen) {
    try {
      const chain = await loadChain(setting, kept.get(setting.where));
      made.push(...chain.plugins);
      checkTransport(setting, chain);
      plugins.push([setting.where, chain]);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      faults.push(error.message);
    }
  }
  if (faults.length === 0) return plugins;
  await disposePlugins(made, [...kept.values()].flat());
  throw new UsageError(faults.join("\n"));
}

/** Checks that each plugin handles the transport of its address: some handle only one. */
function checkTransport({ where, source }: ListenSetting, { handlers }: LoadedChain): void {
  try {
    if (parseListenAddress(where).transport === "udp") composeFlows(handlers);
    else compose(handlers);
  } catch (error) {
    throw new UsageError(`${source}: ${messageLine(error)}`);
  }
}
