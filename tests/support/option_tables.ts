/**
 * Tables of a stack's options, generated from the docstrings of their types and the defaults.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PROFILES, type TcpConfig } from "../../core/tcp/config.ts";
import { UDP_DEFAULTS } from "../../core/udp/config.ts";
import { ROOT } from "./source_files.ts";

const COLUMNS = ["option", "`local`", "`internet`", "meaning"];

/** The docstring of each option as one line, by the option's name. */
export function optionTexts(): ReadonlyMap<string, string> {
  const sources = ["core/tcp/config.ts", "core/udp/config.ts", "core/udp/datagram.ts"];
  const text = sources.map((path) => readFileSync(join(ROOT, path), "utf8")).join("\n");
  const members = text.matchAll(/ {2}\/\*\*((?:(?!\*\/)[^])*)\*\/\n {2}readonly (\w+): /g);
  return new Map([...members].map(([, comment = "", name = ""]) => [
    name,
    comment.replaceAll(/\s*\n\s*\* ?/g, " ").trim(),
  ]));
}

/** A row for each option of `tcp` and `udp`, padded as `deno fmt` does it. */
export function optionsTable(): string {
  const texts = optionTexts();
  const row = (prefix: string, name: string, ...defaults: readonly unknown[]) => [
    `\`${prefix}.${name}\``,
    ...defaults.map((value) => `\`${JSON.stringify(value)}\``),
    (texts.get(name) ?? "").replaceAll("|", "\\|"),
  ];
  const { local, internet } = PROFILES;
  const rows = [
    ...[...texts.keys()].filter((name): name is keyof TcpConfig => name in internet).map((name) =>
      row("tcp", name, local[name], internet[name])
    ),
    ...Object.entries(UDP_DEFAULTS).map(([name, value]) => row("udp", name, value, value)),
  ];
  const widths = COLUMNS.map((name, i) =>
    Math.max(...[name, ...rows.map((cells) => cells[i]!)].map(({ length }) => length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |\n`;
  return [line(COLUMNS), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join(
    "",
  );
}

/** The page with its table of options replaced by that of the code. */
export function withOptionsTable(page: string): string {
  const table = /^\| option +\| `local` +\| `internet` +\| meaning +\|\n(?:\|.*\n)+/m;
  if (!table.test(page)) throw new Error(`the page has no table of ${COLUMNS.join(", ")}`);
  return page.replace(table, () => optionsTable());
}
