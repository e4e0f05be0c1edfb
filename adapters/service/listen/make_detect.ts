/**
 * The `detect` plugin.
 *
 * @module
 */
import { z } from "zod";
import { describeIssues } from "../../../core/api/options.ts";
import { compose } from "../../../core/api/plugin.ts";
import type { Plugin } from "../../../core/api/types.ts";
import { detect } from "../../../plugins/detect.ts";
import { messageLine, UsageError } from "../errors.ts";
import { chainSchema, locateChain, type WrittenChain } from "../settings/listen_setting.ts";
import type { Origin } from "../settings/setting.ts";
import { type Loader, type Make, make } from "./make_plugin.ts";

/** The plugins of each protocol; all other options are those of `detect` itself. */
const routesSchema = z.looseObject({
  tls: chainSchema.optional(),
  http: chainSchema.optional(),
  http2: chainSchema.optional(),
  ssh: chainSchema.optional(),
  other: chainSchema.optional(),
});

const ROUTES = ["tls", "http", "http2", "ssh", "other"] as const;

/** `detect` with a chain of plugins for each protocol. */
export const makeDetect: Make = async (argument, written, { folder, source }, loader) => {
  if (argument !== undefined || !ROUTES.some((protocol) => written[protocol] !== undefined)) {
    throw new UsageError(
      `${source}: detect needs plugins for protocols, in a configuration file: ` +
        '{ "plugin": "detect", "options": { "http": "http:./app.ts", "other": "echo" } }',
    );
  }
  const checked = routesSchema.safeParse(written);
  if (!checked.success) {
    const given = { value: written, schema: routesSchema };
    throw new UsageError(`${source}.${describeIssues(checked.error.issues, ["options"], given)}`);
  }
  const { tls, http, http2, ssh, other, ...options } = checked.data;
  const routes: Record<string, readonly Plugin[]> = {};
  for (const [protocol, chain] of Object.entries({ tls, http, http2, ssh, other })) {
    if (chain === undefined) continue;
    const at = (...keys: readonly string[]) => [source, "options", protocol, ...keys].join(".");
    routes[protocol] = await loadRoute(chain, { folder, source: at }, loader);
  }
  return make((its: object) => detect(routes, its), options, source);
};

async function loadRoute(
  chain: WrittenChain,
  origin: Origin,
  loader: Loader,
): Promise<Plugin[]> {
  const plugins: Plugin[] = [];
  for (const setting of locateChain(chain, origin)) {
    plugins.push((await loader.loadPlugin(setting)).handler);
  }
  try {
    compose(plugins);
  } catch (error) {
    throw new UsageError(`${origin.source()}: ${messageLine(error)}`);
  }
  return plugins;
}
