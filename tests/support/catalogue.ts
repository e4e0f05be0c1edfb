/**
 * Generates the page of every plugin, middleware and link that is exported, from their docstrings.
 *
 * @module
 */
import { examplesInDocstrings } from "./examples.ts";
import { importsOf, type SourceFile, sourceFiles, split } from "./source_files.ts";

/** The tables of the page. */
export const KINDS = [
  "Plugins",
  "Apps, for http and http2",
  "Middleware",
  "Links",
  "Ports of Ethernet frames, for ethernet",
  "Wrappers of links",
] as const;

/** A kind of entry. */
export type Kind = typeof KINDS[number];

/** An exported function that creates a plugin, middleware or link. */
export interface Entry {
  readonly name: string;
  readonly kind: Kind;
  /** Path of its file, relative to the root. */
  readonly path: string;
  /** The first sentence of its docstring. */
  readonly summary: string;
  /** The example in its docstring, which runs as a test, if any. */
  readonly example: string | undefined;
  /** The attributes after `ts` at the start of the example. */
  readonly attributes: string;
}

/** The entry points that export plugins, middleware and links; the others repeat some of these. */
const ENTRY_POINTS = ["exports/links.ts", "exports/middleware.ts", "exports/plugins.ts"];

/** Every entry, in the order of the kinds and then of the names. */
export function catalogue(): Entry[] {
  const files = new Map(
    sourceFiles("exports", "adapters", "plugins").map((one) => [one.path, one]),
  );
  return ENTRY_POINTS.flatMap((path) => entriesBehind(path, files)).sort((one, other) =>
    KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind) || (one.name < other.name ? -1 : 1)
  );
}

/** The entries among what the file at `path` exports of other files. */
function entriesBehind(path: string, files: ReadonlyMap<string, SourceFile>): Entry[] {
  const exporting = files.get(path)!;
  return importsOf(exporting).filter(({ typeOnly }) => !typeOnly).flatMap(({ target, line }) => {
    const file = files.get(target);
    if (file === undefined) return [];
    const what = exporting.code.split("\n").slice(line - 1).join("\n");
    if (/^export\s*\*/.test(what)) return entriesBehind(target, files);
    return entriesOf(file, exportedNames(what));
  });
}

/** The values among the names of the `export { ... } from` that `code` begins with. */
function exportedNames(code: string): string[] {
  const list = /^export\s*\{([^}]*)\}/.exec(code)?.[1] ?? "";
  return list.split(",").map((name) => name.trim()).filter((name) => /^[a-z]\w*$/.test(name));
}

function entriesOf(file: SourceFile, names: readonly string[]): Entry[] {
  return names.flatMap((name) => {
    const declaration = new RegExp(
      `(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/)\\s*export (const|(?:async )?function) ${name}\\b([^]*)`,
    ).exec(file.text);
    if (declaration === null) return [];
    const [, docstring = "", keyword, rest = ""] = declaration;
    const kind = kindOf(
      file.path,
      rest.slice(0, (keyword === "const" ? / =\s/ : /\{\s*\n/).exec(rest)?.index),
    );
    if (kind === undefined) return [];
    const [example] = examplesInDocstrings(split(docstring).comments);
    const attributes = /```ts *([^\n]*)/.exec(docstring)?.[1]?.trim() ?? "";
    const summary = firstSentence(docstring);
    return [{ name, kind, path: file.path, summary, example: example?.code, attributes }];
  });
}

/** Determines the kind from the type of a constant or the result of a function. */
function kindOf(path: string, signature: string): Kind | undefined {
  const makesPlugin = /PluginFactory|\): (?:\w*Plugin)\b/.test(signature);
  if (makesPlugin) return isMiddleware(path) ? "Middleware" : "Plugins";
  if (/\): FetchApp\b/.test(signature)) return "Apps, for http and http2";
  if (/\)\s*: (?:Promise<)?\[?FramePort\b/.test(signature)) {
    return "Ports of Ethernet frames, for ethernet";
  }
  if (!/\)\s*: (?:Promise<)?(?:readonly )?\[?\w*Link\b/.test(signature)) return undefined;
  return path.startsWith("adapters/links/decorators/") ? "Wrappers of links" : "Links";
}

function isMiddleware(path: string): boolean {
  return path.startsWith("plugins/middleware/");
}

/** Removes the comment marks and joins the lines. */
function firstSentence(docstring: string): string {
  const text = docstring.replace(/^\/\*\*|\*\/$/g, "").replace(/^[ \t]*\* ?/gm, "").trim();
  const [paragraph = ""] = text.split(/\n\s*\n|\n@/);
  const line = paragraph.replace(/\s+/g, " ").replace(/\{@link (\w+)\}/g, "`$1`");
  return /^.*?[.:](?= |$)/.exec(line)?.[0].replace(/:$/, ".") ?? line;
}

/** The page. */
export function formatCatalogue(entries: readonly Entry[]): string {
  const tables = KINDS.map((kind) =>
    `## ${kind}\n\n${formatTable(entries.filter((entry) => entry.kind === kind))}`
  );
  // The examples already run in their docstrings.
  const examples = entries.map(({ name, path, example = "" }) =>
    `### ${name}\n\n[${path}](../${path})\n\n\`\`\`ts no_run\n${example.trimEnd()}\n\`\`\``
  );
  return [HEAD, ...tables, "## Examples", ...examples].join("\n\n") + "\n";
}

const HEAD = `# Plugins, middleware and links

<!-- Written by \`deno task catalogue\` from the docstrings. -->

Everything that goes on a port, in front of what goes on a port, and below a stack. Each name leads
to an example; the tests run all of them, on Deno and on Bun. What is served by the service too, and
under which name, is in [configuration.md](configuration.md).`;

function formatTable(entries: readonly Entry[]): string {
  const rows = entries.map((
    { name, summary },
  ) => [`[\`${name}\`](#${name.toLowerCase()})`, summary]);
  const widths = [0, 1].map((column) =>
    Math.max(3, ...rows.map((row) => [...row[column]!].length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [
    line(["", "what it does"]),
    line(widths.map((width) => "-".repeat(width))),
    ...rows.map(line),
  ].join("\n");
}
