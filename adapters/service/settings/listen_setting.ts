/**
 * The setting `listen`: which plugins serve a listen address.
 *
 * @module
 */
import { z } from "zod";
import { formatListenAddress, parseListenAddress } from "../../../core/api/listen_address.ts";
import { faultsOf } from "../../../core/api/options.ts";
import { messageLine } from "../errors.ts";
import { offerHttp2 } from "./alpn.ts";
import type { JsonSchemaNotes, Origin } from "./setting.ts";

/** A plugin and its options. */
export interface PluginSetting {
  /** `NAME`, `NAME:ARGUMENT` or the path of a module. */
  readonly plugin: string;
  /** The plugin's options, in addition to its argument. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** The folder that paths are relative to. */
  readonly folder: string;
  /** The name of this setting in messages: `--listen 80` or `berth.json: listen.80`. */
  readonly source: string;
}

/** A listen address and the plugins that serve it. */
export interface ListenSetting extends PluginSetting {
  /** As `formatListenAddress()` writes it. */
  readonly where: string;
  /** Middleware in front of the plugin, the outermost first. */
  readonly before?: readonly PluginSetting[] | undefined;
}

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
).meta({ acceptsString: true } satisfies JsonSchemaNotes);

/** A plugin as it is written in the file. */
export type WrittenPlugin = z.output<typeof pluginSchema>;

/** The plugins of a listen address: the last one serves it, those before it are middleware. */
export type WrittenChain = readonly [WrittenPlugin, ...WrittenPlugin[]];

const chainListSchema = z.tuple([pluginSchema], pluginSchema);

/** One plugin or a list; the path of an issue has an index only for a list. */
export const chainSchema: z.ZodType<WrittenChain, unknown> = z.unknown().transform(
  (value, c): WrittenChain => {
    if (Array.isArray(value) && value.length === 0) {
      c.addIssue("expected at least one plugin, got an empty list");
      return z.NEVER;
    }
    const schema = Array.isArray(value) ? chainListSchema : pluginSchema;
    const checked = schema.safeParse(value);
    if (checked.success) return Array.isArray(checked.data) ? checked.data : [checked.data];
    for (const { path, message } of faultsOf(checked.error.issues, { value, schema })) {
      c.addIssue({ code: "custom", path: [...path], message });
    }
    return z.NEVER;
  },
).meta({ shape: pluginSchema, acceptsList: true } satisfies JsonSchemaNotes);

/** An entry without its origin. */
export interface WrittenListen {
  /** The listen address as `formatListenAddress()` writes it. */
  readonly where: string;
  /** The listen address as messages show it. */
  readonly key: string;
  readonly chain: WrittenChain;
}

const listenAddressSchema = z.string().transform((text, c) => {
  try {
    return formatListenAddress(parseListenAddress(text));
  } catch (error) {
    c.addIssue(messageLine(error));
    return z.NEVER;
  }
});

/** Checks the key but does not change it, so that messages show it as it is written in the file. */
const keySchema = z.string().check(({ value, issues }) => {
  const { error } = listenAddressSchema.safeParse(value);
  for (const { message } of error?.issues ?? []) {
    issues.push({ code: "custom", message, input: value });
  }
});

/** `listen` of the file: plugins by listen address. */
export const listenFileSchema: z.ZodType<readonly WrittenListen[], unknown> = z.record(
  keySchema,
  chainSchema,
  { error: (issue) => issue.code === "invalid_key" ? issue.issues[0]?.message : undefined },
).transform((entries) =>
  Object.entries(entries).map(([key, chain]) => ({
    where: listenAddressSchema.parse(key),
    key,
    chain,
  }))
);

/** `WHERE=PLUGIN` or `WHERE=MIDDLEWARE+PLUGIN` of the command line. */
export const listenTextSchema: z.ZodType<WrittenListen, string> = z.string().transform(
  (text, c) => {
    const at = text.indexOf("=");
    const [first = "", ...more] = text.slice(at + 1).split("+");
    if (at < 1 || [first, ...more].includes("")) {
      c.addIssue(
        `expected WHERE=PLUGIN such as 7=echo, *=echo or 10.90.7.0/24:8000-8999=echo, got ${text}`,
      );
      return z.NEVER;
    }
    const { data: where, error } = listenAddressSchema.safeParse(text.slice(0, at));
    for (const { message } of error?.issues ?? []) c.addIssue(message);
    if (where === undefined) return z.NEVER;
    return { where, key: where, chain: [{ plugin: first }, ...more.map((plugin) => ({ plugin }))] };
  },
);

/** Adds the folder and the source that messages show. */
export function locateListen({ where, key, chain }: WrittenListen, origin: Origin): ListenSetting {
  const plugins = locateChain(chain, origin, key);
  const before = plugins.slice(0, -1);
  return { ...plugins.at(-1)!, where, ...before.length > 0 && { before } };
}

/** The plugins of a chain that was written at `keys`. */
export function locateChain(
  chain: WrittenChain,
  { folder, source }: Origin,
  ...keys: readonly string[]
): PluginSetting[] {
  return offerHttp2(chain.map((plugin, index) => ({
    ...plugin,
    folder,
    source: chain.length > 1 ? source(...keys, String(index)) : source(...keys),
  })));
}
