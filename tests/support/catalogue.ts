/**
 * Finds every plugin, middleware and link that is exported, with its docstring.
 *
 * @module
 */
import { examplesInDocstrings } from "./examples.ts";
import { importsOf, type SourceFile, sourceFiles, split } from "./source_files.ts";

/** What an entry makes. */
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
  /** The docstring without its tags, as Markdown. */
  readonly description: string;
  /** The exceptions, as Markdown. */
  readonly errors: readonly string[];
  /** Name of the interface of its options, if it has any. */
  readonly optionsType: string | undefined;
  /** Names of the interfaces of its other arguments. */
  readonly argumentTypes: readonly string[];
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
    const signature = rest.slice(0, (keyword === "const" ? / =\s/ : /\{\s*\n/).exec(rest)?.index);
    const kind = kindOf(file.path, signature);
    if (kind === undefined) return [];
    const [example] = examplesInDocstrings(split(docstring).comments);
    const attributes = /```ts *([^\n]*)/.exec(docstring)?.[1]?.trim() ?? "";
    const text = textOf(docstring);
    return [{
      name,
      kind,
      path: file.path,
      summary: firstSentence(text),
      description: text.split(/^@/m)[0]!.trim(),
      errors: errorsOf(text),
      optionsType: /PluginFactory<(\w+)>/.exec(signature)?.[1] ??
        /\boptions\??: (\w+)/.exec(signature)?.[1],
      argumentTypes: [.../\b\w+: (\w+Routes)\b/.exec(signature) ?? []].slice(1),
      example: example?.code,
      attributes,
    }];
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

/** The Markdown of a docstring, without comment marks. */
function textOf(docstring: string): string {
  return docstring.replace(/^\/\*\*|\*\/$/g, "").replace(/^[ \t]*\* ?/gm, "").trim()
    .replace(/\{@link (?:\w+\.)?(\w+)\}/g, "`$1`");
}

function firstSentence(text: string): string {
  const [paragraph = ""] = text.split(/\n\s*\n|\n@/);
  const line = paragraph.replace(/\s+/g, " ");
  return /^.*?[.:](?= |$)/.exec(line)?.[0].replace(/:$/, ".") ?? line;
}

/** The texts of `@throws {Type} text`. */
function errorsOf(text: string): string[] {
  return [...text.matchAll(/^@throws (?:\{(\w+)\} )?([^]*?)(?=\n\s*\n|\n@|$(?![^]))/gm)].map(
    ([, type, meaning = ""]) =>
      `${type ? `\`${type}\`: ` : ""}${meaning.trim().replace(/\s+/g, " ")}`,
  );
}
