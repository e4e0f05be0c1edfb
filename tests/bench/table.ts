/**
 * Writes the figures of `docs/benchmarks.md` from the output of the benchmarks: `table.ts FILE...`. Benchmarks
 * that are not in the files keep their figures.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../support/source_files.ts";
import type { Machine } from "./report.ts";

/** A line that a benchmark printed. */
interface Result {
  readonly benchmark: string;
  readonly machine: Machine;
  readonly [key: string]: unknown;
}

const PAGE = join(ROOT, "docs/benchmarks.md");
const BEGIN = "<!-- figures: written by tests/bench/table.ts -->";
const END = "<!-- end of figures -->";

/**
 * The figures as Markdown: a section for each benchmark. Sections of `before` that are not in `results`
 * remain, with the lines that say where they were taken.
 */
export function formatFigures(results: readonly Result[], before: string): string {
  const [machinesBefore = "", ...sectionsBefore] = before.trim().split(/\n*^### /m);
  const sections = new Map(
    sectionsBefore.map((section): [string, string] => {
      const end = section.indexOf("\n");
      return [section.slice(0, end), section.slice(end).trim()];
    }),
  );
  const groups = Map.groupBy(results, ({ benchmark }) => benchmark);
  const isAll = [...sections.keys()].every((name) => groups.has(name));
  for (const [name, rows] of groups) {
    sections.set(name, formatTable("target" in rows[0]! ? byTarget(rows) : byRuntime(rows)));
  }
  const machines = new Set([...isAll ? [] : machinesBefore.split("\n"), ...machinesOf(results)]);
  const texts = [...sections].map(([name, table]) => `### ${name}\n\n${table}`);
  return [[...machines].join("\n"), ...texts].join("\n\n");
}

function machinesOf(results: readonly Result[]): string[] {
  const lines = results.map(({ machine }) => {
    const { cpu, cores, memoryGiB, kernel } = machine;
    return `- ${cores} cores of ${cpu}, ${memoryGiB} GiB, Linux ${kernel}`;
  });
  const runtimes = [...new Set(results.map(({ machine }) => machine.runtime))].sort();
  return [...lines, `- ${runtimes.join(", ")}`];
}

/** A row for each load, a column for each target: the median, the minimum and the maximum. */
function byTarget(results: readonly Result[]): string[][] {
  const targets = [...new Set(results.map(({ target }) => String(target)))];
  const loads = Map.groupBy(results, ({ load, unit }) => `${load}, ${unit}`);
  const rows = [...loads].map(([load, figures]) => [
    load,
    ...targets.map((target) => formatRange(figures.find((one) => one["target"] === target))),
  ]);
  return [["", ...targets], ...rows];
}

function formatRange(result: Result | undefined): string {
  if (result === undefined) return "";
  const { median, least, most, failures } = result;
  const failed = Array.isArray(failures) ? `${failures.length} failed` : "";
  if (median === undefined) return failed;
  return least === undefined ? String(median) : `${median} (${least} to ${most}) ${failed}`.trim();
}

/** A row for each line, a column for each of its figures. */
function byRuntime(results: readonly Result[]): string[][] {
  const keys = [...new Set(results.flatMap((result) => Object.keys(result)))]
    .filter((key) => key !== "benchmark" && key !== "machine");
  const rows = results.map((result) => [
    result.machine.runtime,
    ...keys.map((key) => String(result[key] ?? "")),
  ]);
  return [["", ...keys.map(words)], ...rows];
}

/** `bytesEach` as "bytes each". */
function words(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function formatTable(rows: readonly string[][]): string {
  const widths = rows[0]!.map((_, column) =>
    Math.max(3, ...rows.map((row) => row[column]!.length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

function main(files: readonly string[]): void {
  const lines = files.flatMap((file) => readFileSync(file, "utf8").trim().split("\n"));
  const page = readFileSync(PAGE, "utf8");
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${PAGE} has no place for the figures`);
  const results = lines.map((text) => JSON.parse(text));
  const figures = formatFigures(results, page.slice(before + BEGIN.length, after));
  const head = page.slice(0, before + BEGIN.length);
  writeFileSync(PAGE, `${head}\n\n${figures}\n\n${page.slice(after)}`);
}

if (import.meta.main) main(process.argv.slice(2));
