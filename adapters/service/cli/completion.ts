/**
 * Completion of the command line in shells, made from the table of settings.
 *
 * @module
 */
import { z } from "zod";
import { UsageError } from "../errors.ts";
import { SETTINGS } from "../settings/settings.ts";
import { DASHBOARD_HELP } from "./dashboard.ts";
import { DEV_HELP } from "./dev.ts";
import { INIT_HELP } from "./init.ts";
import { COMMANDS } from "./remote.ts";
import { TOOLS } from "./tools/tools.ts";

/** A flag as a shell completes it. */
interface Flag {
  /** The name with `--`. */
  readonly name: string;
  readonly help: string;
  /** Its value: one of these words, a file, something else, or none. */
  readonly value: readonly string[] | "file" | "other" | "none";
}

const SHELLS: Readonly<Record<string, () => string>> = { bash, zsh, fish };

/**
 * The script for a shell; the program is called `berth`.
 *
 * @throws {UsageError} There is no script for this shell.
 */
export function completionFor(shell: string | undefined): string {
  if (shell !== undefined && Object.hasOwn(SHELLS, shell)) return SHELLS[shell]!();
  throw new UsageError(
    `completion: expected one of ${Object.keys(SHELLS).join(", ")}, got ${shell ?? "none"}`,
  );
}

function flags(): Flag[] {
  const settings = Object.values(SETTINGS).flatMap(({ flag, help, schema }): Flag[] => {
    if (flag === undefined) return [];
    const [name = ""] = flag.split(" ");
    const words = schema instanceof z.ZodEnum ? schema.options.map(String) : undefined;
    return [{
      name,
      help: firstLine(help),
      value: words ?? (name === "--capture" ? "file" : "other"),
    }];
  });
  const known: Flag[] = [
    { name: "--config", help: "read settings from a file", value: "file" },
    { name: "--check-config", help: "check the configuration and start nothing", value: "none" },
    { name: "--watch", help: "reload when a file has changed", value: "none" },
    { name: "--state", help: "keep the last configuration that worked", value: "file" },
    ...settings,
    { name: "--json", help: "print the answer of a command as JSON", value: "none" },
    { name: "--help", help: "print the flags", value: "none" },
    { name: "--version", help: "print the version", value: "none" },
  ];
  const names = new Set(known.map(({ name }) => name));
  return [...known, ...toolFlags().filter(({ name }) => !names.has(name))];
}

/** The flags of the tools, each once. */
function toolFlags(): Flag[] {
  const all = Object.values(TOOLS).flatMap(({ flags }) => Object.entries(flags));
  return Object.entries(Object.fromEntries(all)).map(([name, { help, value, isFile }]) => ({
    name: `--${name}`,
    help,
    value: isFile ? "file" : value === undefined ? "none" : "other",
  }));
}

function commands(): [name: string, help: string][] {
  const remote = Object.entries(COMMANDS).map(([name, { help }]): [string, string] => [name, help]);
  return [
    ["check", "check a configuration file and its plugins"],
    ...remote,
    [
      "dashboard",
      DASHBOARD_HELP,
    ],
    ["init", INIT_HELP],
    ["dev", DEV_HELP],
    ...Object.entries(TOOLS).map(([name, { help }]): [string, string] => [name, help]),
    [
      "completion",
      "print a script for bash, zsh or fish",
    ],
  ];
}

function firstLine(help: string): string {
  return help.split("\n")[0]!;
}

function bash(): string {
  const all = flags();
  const named = (value: Flag["value"]) =>
    all.filter((flag) => flag.value === value).map(({ name }) => name);
  const words = all.flatMap(({ name, value }) =>
    typeof value === "string"
      ? []
      : [`    ${name}) COMPREPLY=($(compgen -W "${value.join(" ")}" -- "$current")); return ;;`]
  );
  const first = [...commands().map(([name]) => name), ...all.map(({ name }) => name)];
  return `_berth() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  case "$previous" in
    check|${named("file").join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    completion) COMPREPLY=($(compgen -W "${
    Object.keys(SHELLS).join(" ")
  }" -- "$current")); return ;;
${words.join("\n")}
    ${named("other").join("|")}) return ;;
  esac
  COMPREPLY=($(compgen -W "${first.join(" ")}" -- "$current"))
}
complete -F _berth berth`;
}

function zsh(): string {
  const quoted = (text: string) => text.replace(/'/g, "'\\''").replace(/[[\]:]/g, "\\$&");
  const specs = flags().map(({ name, help, value }) => {
    const follows = value === "none"
      ? ""
      : value === "file"
      ? ":file:_files"
      : value === "other"
      ? ":value: "
      : `:value:(${value.join(" ")})`;
    return `    '*${name}[${quoted(help)}]${follows}' \\`;
  });
  const first = commands().map(([name, help]) => `    '${name}:${quoted(help)}'`);
  return `#compdef berth
_berth() {
  local -a commands
  commands=(
${first.join("\n")}
  )
  _arguments \\
${specs.join("\n")}
    '1:command:{_describe command commands}' \\
    '*:file:_files'
}
compdef _berth berth`;
}

function fish(): string {
  const quoted = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const named = commands().map(([name, help]) =>
    `complete -c berth -n __fish_use_subcommand -f -a ${name} -d ${quoted(help)}`
  );
  const options = flags().map(({ name, help, value }) => {
    const follows = value === "none"
      ? "-f"
      : value === "file"
      ? "-r"
      : value === "other"
      ? "-x"
      : `-x -a ${quoted(value.join(" "))}`;
    return `complete -c berth -l ${name.slice(2)} ${follows} -d ${quoted(help)}`;
  });
  return [...named, ...options].join("\n");
}
