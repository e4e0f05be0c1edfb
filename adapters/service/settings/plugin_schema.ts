/**
 * Plugins as the configuration file has them.
 *
 * @module
 */
import { z } from "zod";
import type { PluginSetting } from "./settings.ts";

const PLUGIN_EXPECTED = "expected a plugin such as echo, or the path of a module";

const pluginSchema = z.preprocess(
  (value) => typeof value === "string" ? { plugin: value } : value,
  z.strictObject({
    plugin: z.string(PLUGIN_EXPECTED).min(1, PLUGIN_EXPECTED),
    options: z.record(z.string(), z.unknown()).optional(),
  }, {
    error: ({ code }) =>
      code === "invalid_type" ? `expected "PLUGIN" or { "plugin", "options" }` : undefined,
  }),
);

/** A plugin as it is written in the file. */
export type WrittenPlugin = z.output<typeof pluginSchema>;

/** Plugins that stand one behind the other. */
export type WrittenChain = readonly [WrittenPlugin, ...WrittenPlugin[]];

/** One plugin, or several that stand one behind the other; a fault has its place in either form. */
export const chainSchema: z.ZodType<WrittenChain, unknown> = z.unknown().transform((value, c) => {
  const schema = Array.isArray(value) ? z.tuple([pluginSchema], pluginSchema) : pluginSchema;
  const checked = schema.safeParse(value);
  if (checked.success) return Array.isArray(checked.data) ? checked.data : [checked.data];
  for (const { path, message } of checked.error.issues) {
    c.addIssue({ code: "custom", path: [...path], message });
  }
  return z.NEVER;
});

/** The plugins of a chain that was written at `source`, each with its own place in the file. */
export function settingsOf(chain: WrittenChain, folder: string, source: string): PluginSetting[] {
  return chain.map((plugin, index) => ({
    ...plugin,
    folder,
    source: chain.length > 1 ? `${source}.${index}` : source,
  }));
}
