/**
 * The manual page, made from the table of settings.
 *
 * @module
 */
import { OWN_FLAGS, PROJECT_COMMANDS, SERVICE_COMMANDS } from "../../adapters/service/cli/help.ts";
import { SETTINGS } from "../../adapters/service/settings/settings.ts";
import manifest from "../../deno.json" with { type: "json" };

/** berth(1), for the macros of man(7). */
export function manPage(): string {
  const settings = Object.entries(SETTINGS);
  const flags = settings.flatMap(([key, setting]) => {
    if (setting.flag === undefined) return [];
    const repeatable = setting.repeatable ? " Can be repeated." : "";
    return [tagged(setting.flag, `${detailsOf(setting)}.${repeatable} In the file: \`${key}\`.`)];
  });
  const onlyInFile = settings.filter(([, { flag }]) => flag === undefined)
    .map(([key, setting]) => tagged(key, `${detailsOf(setting)}.`));
  return [
    `.TH BERTH 1 "" "berth ${manifest.version}" "User Commands"`,
    section("NAME", "berth \\- user-space TCP/IP stack that serves plugins"),
    ".SH SYNOPSIS",
    synopsis("[\\fIFLAGS\\fR]"),
    synopsis("check \\fIFILE\\fR [\\fIFLAGS\\fR]"),
    synopsis(
      "\\fICOMMAND\\fR [\\fB\\-\\-admin\\fR unix:\\fIPATH\\fR | \\fB\\-\\-config\\fR \\fIFILE\\fR]",
    ),
    section("DESCRIPTION", ...paragraphs(DESCRIPTION)),
    section(
      "OPTIONS",
      ...OWN_FLAGS.map(([flag, help]) => tagged(flag, `${capital(help)}.`)),
      ...flags,
    ),
    tagged("--help", "Prints the flags and commands."),
    tagged("--version", "Prints the version."),
    section("COMMANDS", "For a running service, over its admin API:"),
    ...SERVICE_COMMANDS.map(([name, help]) => tagged(name, `${capital(help)}.`)),
    ".PP\nFor a project:",
    ...PROJECT_COMMANDS.map(([name, help]) => tagged(name, `${capital(help)}.`)),
    tagged(
      "completion bash|zsh|fish",
      "Prints a script that completes the command line in a shell.",
    ),
    section("CONFIGURATION FILE", ...paragraphs(FILE)),
    ...onlyInFile,
    section("SIGNALS"),
    ...SIGNALS.map(([name, text]) => tagged(name, text)),
    section("EXIT STATUS"),
    ...EXITS.map(([code, text]) => tagged(code, text)),
    section("EXAMPLES"),
    ...EXAMPLES.map(([text, command]) =>
      `.PP\n${roff(text)}\n.PP\n.RS\n.nf\n${roff(command)}\n.fi\n.RE`
    ),
    "",
  ].join("\n");
}

const DESCRIPTION = [
  "berth is a TCP/IP stack in one process. It answers addresses on a TUN device or another link, and a " +
  "plugin serves each of its ports.",
  "Without flags it serves a demo on 127.0.0.1 and needs no privilege. `check FILE` checks a " +
  "configuration file and its plugins, and starts nothing.",
];

const FILE = [
  "A JSON file that may have comments. All options that have a key can be written in it; paths in it are " +
  "relative to its folder, and `${NAME}` in a string is an environment variable. These keys have no flag:",
];

const SIGNALS = [
  ["SIGHUP", "Reloads the configuration file and changed plugins. No connection ends."],
  [
    "SIGTERM, SIGINT",
    "Refuses new connections, waits for those that are open, and ends. A second signal ends at once.",
  ],
  ["SIGUSR1", "Reopens the log files, for logrotate."],
  ["SIGUSR2", "Logs the statistics."],
] as const;

const EXITS = [
  ["0", "It ended normally, such as after a signal."],
  ["1", "It failed while it was running, such as by an error of the device."],
  ["2", "The command line or the configuration cannot be used; nothing was started."],
] as const;

const EXAMPLES = [
  [
    "An echo server that other programs of this machine can reach:",
    "berth --listen 7=echo --publish 127.0.0.1:7007=10.7.0.2:7",
  ],
  [
    "A TUN device, as root:",
    "berth --tun berth0 --address 10.90.0.2/24 --listen 80=files:/srv/www",
  ],
] as const;

interface Described {
  readonly details: string;
  readonly repeatable?: boolean;
  readonly default?: unknown;
  readonly defaultText?: string;
}

function detailsOf({ details, defaultText, ...setting }: Described): string {
  const value = defaultText ?? (setting.repeatable ? undefined : setting.default);
  const isShown = value !== undefined && typeof value !== "object";
  return details + (isShown ? `; default ${defaultText ?? `\`${value}\``}` : "");
}

function section(name: string, ...content: readonly string[]): string {
  return [`.SH ${name}`, ...content].join("\n");
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.map((text) => `.PP\n${roff(text)}`);
}

function synopsis(rest: string): string {
  return `.B berth\n${rest}\n.br`;
}

/** A tagged paragraph. Words in capitals in the term are set in italics, because they are variable. */
function tagged(term: string, text: string): string {
  const [first = "", ...rest] = term.split(" ");
  const name = `\\fB${roff(first)}\\fR`;
  return [".TP", [name, ...rest.map((each) => `\\fI${roff(each)}\\fR`)].join(" "), roff(text)]
    .join("\n");
}

/** Markdown of one paragraph as roff: code in bold, links as their text. */
function roff(markdown: string): string {
  return markdown
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\s*\n\s*/g, " ")
    .replaceAll("\\", "\\(rs")
    .replaceAll("-", "\\-")
    .replace(/`([^`]*)`/g, "\\fB$1\\fR")
    // A line that begins with one of these characters would be a roff request.
    .replace(/^([.'])/gm, "\\&$1");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).trimEnd().replace(/\.$/, "");
}
