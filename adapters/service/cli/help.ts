/**
 * What `--help` prints.
 *
 * @module
 */
import { SETTINGS } from "../settings/settings.ts";
import { DASHBOARD_HELP } from "./dashboard.ts";
import { DEV_HELP } from "./dev.ts";
import { INIT_HELP } from "./init.ts";
import { COMMANDS } from "./remote.ts";
import { TOOLS } from "./tools/tools.ts";

/** The widest line. */
const WIDTH = 99;
/** Where the explanation of a flag begins; a longer flag has a line of its own. */
const INDENT = 29;

const USAGE = `berth: a user-space TCP/IP stack that serves plugins

Usage: deno run -A main.ts [check FILE] [FLAGS]
       bun run main.ts [check FILE] [FLAGS]
       ... main.ts COMMAND [--admin unix:PATH | --config FILE] [--json]

Without flags it serves a demo on 127.0.0.1 and needs no privilege. With check FILE it looks for
faults in a configuration file and its plugins, and starts nothing.
`;

/** Flags that are not settings. */
export const OWN_FLAGS: readonly (readonly [flag: string, help: string])[] = [
  ["--config FILE", "read settings from a JSON file; flags override it"],
  ["--check-config", "check the flags, the file and the plugins, and start nothing"],
  ["--watch", "reload when the file or the module of a plugin has changed"],
  [
    "--state DIR",
    "keep the last configuration that worked, and start with it if the file is invalid",
  ],
];

/** Commands that talk to a running service. */
export const SERVICE_COMMANDS: readonly (readonly [name: string, help: string])[] = [
  ...Object.entries(COMMANDS).map(([name, { help }]) => [name, help] as const),
  ["dashboard", DASHBOARD_HELP],
  ...Object.entries(TOOLS).map(([name, { help }]) => [name, help] as const),
];

/** Commands for those who write plugins. */
export const PROJECT_COMMANDS: readonly (readonly [name: string, help: string])[] = [
  ["init KIND [FOLDER]", INIT_HELP],
  ["dev [FLAGS]", DEV_HELP],
];

const FOOTER = "Flags marked * can be repeated.";

/** Makes the text from the table of settings. */
export function helpText(): string {
  const entries = Object.values(SETTINGS).flatMap((setting) => {
    if (setting.flag === undefined) return [];
    const { flag, help, repeatable } = setting;
    const text = setting.repeatable || setting.default === undefined
      ? help
      : `${help}; default ${setting.default}`;
    return [entry(repeatable ? `${flag} *` : flag, text)];
  });
  return [
    USAGE,
    ...OWN_FLAGS.map((one) => entry(...one)),
    ...entries,
    entry("--help", "print this text"),
    entry("--version", "print the version"),
    `\n${FOOTER}\n\nCommands for a running service, over its admin API:`,
    ...SERVICE_COMMANDS.map((one) => entry(...one)),
    "\nCommands for a project:",
    ...PROJECT_COMMANDS.map((one) => entry(...one)),
    "\ncompletion bash|zsh|fish prints a script that completes the command line of a program called berth.",
  ].join("\n");
}

function entry(flag: string, text: string): string {
  const [first = "", ...more] = wrap(text);
  const own = `  ${flag}`;
  const lines = own.length < INDENT - 1
    ? [own.padEnd(INDENT) + first, ...more.map(indent)]
    : [own, ...[first, ...more].map(indent)];
  return lines.join("\n");
}

function indent(line: string): string {
  return " ".repeat(INDENT) + line;
}

/** Lines that fit beside the flags; a line that begins with a space stays as it is. */
function wrap(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    if (line.startsWith(" ")) return [line];
    const lines = [""];
    for (const word of line.split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trimStart();
      if (INDENT + longer.length > WIDTH) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    return lines;
  });
}
