/**
 * The project's source files, for tests that check them.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds `mod.ts`. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** A file with separate views of code and comments; all views have the same lines. */
export interface SourceFile {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
  /** The text with comments and the contents of strings and regular expressions blanked. */
  readonly code: string;
  /** The text with everything but comments blanked. */
  readonly comments: string;
}

/** An import of a module. */
export interface Import {
  readonly specifier: string;
  /** Path from the root for a relative specifier, otherwise the specifier. */
  readonly target: string;
  /** `import type` or `export type`. */
  readonly typeOnly: boolean;
  readonly line: number;
}

/** Every TypeScript file below the folders and files named. */
export function sourceFiles(...roots: readonly string[]): SourceFile[] {
  return filePaths(roots, ".ts").map(readSource);
}

/** Paths from the root of the files below `roots` whose names end in `ending`, sorted. */
export function filePaths(roots: readonly string[], ending: string): string[] {
  const all = roots.flatMap((root) => walk(join(ROOT, root)));
  return all.filter((path) => path.endsWith(ending)).map((path) => relative(ROOT, path)).sort();
}

/** What a file imports and re-exports, dynamic imports of a literal included. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = [];
  for (const match of file.code.matchAll(IMPORT)) {
    const start = match.index + match[0].length;
    const specifier = file.text.slice(start, file.text.indexOf(file.text.charAt(start - 1), start));
    const target = specifier.startsWith(".") ? join(dirname(file.path), specifier) : specifier;
    const typeOnly = /^(import|export)\s+type\b/.test(match[0]);
    found.push({ specifier, target, typeOnly, line: lineAt(file.text, match.index) });
  }
  return found;
}

const IMPORT = /\b(?:(?:import|export)\b[^;"'`()]*?\bfrom\s*|import\s*\(?\s*)["']/g;

/** The number of the line, from 1, that holds `offset`. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

function walk(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries
      .filter(({ name }) => !name.startsWith(".") && name !== "node_modules")
      .flatMap(({ name }) => walk(join(path, name)));
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOTDIR") return [path];
    if (code === "ENOENT") return [];
    throw error;
  }
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(ROOT, path), "utf8");
  return { path, text, ...split(text) };
}

/** Splits a file into code and comments. */
export function split(text: string): { code: string; comments: string } {
  let code = "";
  let comments = "";
  for (const [token] of text.matchAll(TOKEN)) {
    const comment = /^\/[/*]/.test(token);
    const literal = !comment && token.length > 1 && /^["'`/]/.test(token);
    comments += comment ? token : blank(token);
    code += comment ? blank(token) : literal ? blankInside(token) : token;
  }
  return { code, comments };
}

/**
 * Matches tokens of interest and single characters between them. A template literal is one token,
 * including interpolations with one level of nesting. A `/` starts a regular expression only where
 * an operand is possible.
 */
const TOKEN = new RegExp(
  [
    /\/\/[^\n]*/,
    /\/\*[\s\S]*?\*\//,
    /"(?:\\[\s\S]|[^"\\\n])*"/,
    /'(?:\\[\s\S]|[^'\\\n])*'/,
    /`(?:\\[\s\S]|\$\{(?:`[^`]*`|\{[^{}]*\}|[^{}`])*\}|[^`\\])*`/,
    /(?<=(?:[(,=:[!&|?{};>]|\breturn)\s*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/,
    /[\s\S]/,
  ].map((part) => part.source).join("|"),
  "g",
);

function blank(token: string): string {
  return token.replace(/[^\n]/g, " ");
}

function blankInside(token: string): string {
  return token.charAt(0) + blank(token.slice(1, -1)) + token.charAt(token.length - 1);
}
