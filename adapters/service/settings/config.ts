/**
 * The configuration file.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { milliseconds } from "../../../core/api/numbers.ts";
import { describeIssues } from "../../../core/api/plugin.ts";
import { messageOf, UsageError } from "../errors.ts";
import { chainSchema, settingsOf } from "./plugin_schema.ts";
import { publishSchema } from "./publish_setting.ts";
import {
  addressSchema,
  behindMiddleware,
  exceptSchema,
  hostAddressSchema,
  icmpSettingSchema,
  keepAliveSchema,
  linkSchema,
  logLevelSchema,
  mtuSchema,
  type PartialSettings,
  profileSchema,
  tunSchema,
  whereSchema,
  workersSchema,
} from "./settings.ts";
import { captureSchema, impairSchema } from "./wrap_settings.ts";

/** A place as it was written, so that faults name it as it is in the file. */
const placeSchema = z.string().check(({ value, issues }) => {
  const { error } = whereSchema.safeParse(value);
  for (const { message } of error?.issues ?? []) {
    issues.push({ code: "custom", message, input: value });
  }
});

/** What the file holds. Its text form is documented in `docs/configuration.md`. */
export const configSchema = z.strictObject({
  tun: tunSchema.optional(),
  link: linkSchema.optional(),
  capture: captureSchema.optional(),
  impair: impairSchema.optional(),
  addresses: z.array(addressSchema).optional(),
  hostAddresses: z.array(hostAddressSchema).optional(),
  exceptAddresses: z.array(exceptSchema).optional(),
  mtu: mtuSchema.optional(),
  workers: workersSchema.optional(),
  profile: profileSchema.optional(),
  keepAliveMs: keepAliveSchema.optional(),
  icmp: icmpSettingSchema.optional(),
  listen: z.record(placeSchema, chainSchema, {
    error: (issue) => issue.code === "invalid_key" ? issue.issues[0]?.message : undefined,
  }).optional(),
  publish: z.array(publishSchema).optional(),
  logLevel: logLevelSchema.optional(),
  graceMs: milliseconds(0).optional(),
});

/**
 * Reads the file. Paths in it are relative to its folder.
 *
 * @throws {UsageError} It cannot be read, is no JSON, or says something that cannot be; every fault
 * is named with its path in the file.
 */
export function readConfig(path: string): PartialSettings {
  return parseConfig(readText(path), path);
}

/** {@link readConfig} of a text; `path` is the file's. */
export function parseConfig(text: string, path: string): PartialSettings {
  const checked = configSchema.safeParse(parseJson(text, path));
  if (!checked.success) {
    const faults = checked.error.issues.map((issue) => `${path}: ${describeIssues([issue])}`);
    throw new UsageError(faults.join("\n"));
  }
  const { listen = {}, ...rest } = checked.data;
  const folder = dirname(resolve(path));
  return {
    ...rest,
    listen: Object.entries(listen).map(([where, chain]) => {
      const source = `${path}: listen.${where}`;
      return behindMiddleware(whereSchema.parse(where), settingsOf(chain, folder, source));
    }),
  };
}

/** What the commonest failures mean. */
const UNREADABLE: Readonly<Record<string, string>> = {
  EACCES: "not allowed to read it",
  EISDIR: "it is a folder",
  ENOENT: "there is no such file",
};

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as { code?: string };
    const reason = code === undefined ? undefined : UNREADABLE[code];
    throw new UsageError(`--config ${path}: ${reason ?? messageOf(error)}`);
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${path}: not JSON: ${messageOf(error)}`);
  }
}
