/**
 * The command line.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { z } from "zod";
import { describeIssues } from "../../../core/api/options.ts";
import { suggestionFor } from "../../../core/api/suggestion.ts";
import { messageLine, UsageError } from "../errors.ts";
import { numberFrom, type SettingDefinition } from "../settings/setting.ts";
import { type PartialSettings, type SettingKey, SETTINGS } from "../settings/settings.ts";

/** A parsed command line. */
export interface Arguments {
  /** `--help`. */
  readonly help: boolean;
  /** `--version`. */
  readonly version: boolean;
  /** `--check-config`. */
  readonly checkConfig: boolean;
  /** `--config`. */
  readonly config?: string | undefined;
  /** `--watch`. */
  readonly watch: boolean;
  /** `--state`. */
  readonly state?: string | undefined;
  /** All other flags; a flag that was not given is absent. */
  readonly settings: PartialSettings;
}

/** The names of the flags, without `--`, with the keys of their settings. */
const FLAGS: ReadonlyMap<string, SettingKey> = new Map(
  (Object.keys(SETTINGS) as SettingKey[]).flatMap((key) => {
    const { flag } = SETTINGS[key];
    return flag === undefined ? [] : [[flag.split(" ")[0]!.slice("--".length), key] as const];
  }),
);

/** Flags that are not settings. */
const OWN_FLAGS = ["config", "check-config", "watch", "state", "help", "version"];

/**
 * Parses the command line.
 *
 * @throws {UsageError} A flag is unknown or has an invalid value; the message names the flag.
 */
export function parseArguments(args: readonly string[]): Arguments {
  const { help, version, config, "check-config": checkConfig, watch, state, ...flags } = readFlags(
    withoutCommand(args),
  ) as {
    readonly help?: boolean;
    readonly version?: boolean;
    readonly config?: string;
    readonly "check-config"?: boolean;
    readonly watch?: boolean;
    readonly state?: string;
  } & Readonly<Record<string, string | string[]>>;
  const settings = Object.entries(flags).map(([name, given]) => {
    const key = FLAGS.get(name)!;
    const read = (text: string) =>
      readValue(`--${name}`, text, SETTINGS[key] as SettingDefinition<unknown>);
    return [key, Array.isArray(given) ? given.map(read) : read(given)];
  });
  return {
    help: help ?? false,
    version: version ?? false,
    checkConfig: checkConfig ?? false,
    watch: watch ?? false,
    state,
    config,
    settings: Object.fromEntries(settings),
  };
}

/** Translates `check FILE` to the equivalent flags. */
function withoutCommand([command, file, ...flags]: readonly string[]): readonly string[] {
  const all = [command, file, ...flags].filter((each) => each !== undefined);
  if (command !== "check") return all;
  if (file === undefined || file.startsWith("-")) {
    throw new UsageError("check: expected a configuration file, such as check berth.json");
  }
  return ["--check-config", "--config", file, ...flags];
}

function readFlags(args: readonly string[]): Readonly<Record<string, unknown>> {
  const settings = [...FLAGS].map(([name, key]) =>
    [name, { type: "string", multiple: SETTINGS[key].repeatable ?? false }] as const
  );
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: false,
      options: {
        ...Object.fromEntries(settings),
        config: { type: "string" },
        "check-config": { type: "boolean" },
        watch: { type: "boolean" },
        state: { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
      },
    }).values;
  } catch (error) {
    const [firstSentence = ""] = messageLine(error).split(". ");
    const [, unknown = ""] = /^Unknown option '--([^']*)'/.exec(firstSentence) ?? [];
    const suggestion = suggestionFor(unknown, [...FLAGS.keys(), ...OWN_FLAGS]);
    const advice = suggestion === undefined ? "" : `did you mean --${suggestion}? `;
    throw new UsageError(`${firstSentence.replace(/\.$/, "")}; ${advice}--help lists the flags`);
  }
}

/** The value of a flag, as `setting` checks it. */
function readValue(
  name: string,
  text: string,
  { schema, text: textSchema, locate }: SettingDefinition<unknown>,
): unknown {
  const given = schema instanceof z.ZodNumber ? numberFrom(text) : text;
  const checked = (textSchema ?? schema).safeParse(given);
  if (!checked.success) {
    throw new UsageError(`${name}: ${describeIssues(checked.error.issues, [], { value: given })}`);
  }
  return locate === undefined ? checked.data : locate(checked.data, {
    folder: process.cwd(),
    source: (where) => `${name} ${where}`,
  });
}
