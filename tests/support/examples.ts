/**
 * The examples in documentation: code blocks marked `ts` in docstrings and in Markdown.
 *
 * @module
 */

/** A code block. */
export interface Example {
  /** The line, from 1, of the code's first line. */
  readonly line: number;
  readonly code: string;
  /** False where the block says `ts no_run`: it needs what a test does not have. */
  readonly runs: boolean;
  /** Where the block says `ts tun`: it makes a TUN device, so it runs in a network namespace. */
  readonly needsTun: boolean;
}

/** The examples in the docstrings of a TypeScript file; `comments` holds all but comments blank. */
export function examplesInDocstrings(comments: string): Example[] {
  return examplesInMarkdown(comments.replace(/^ *(?:\/\*\*|\*\/|\*(?!\/)) ?/gm, ""));
}

/** The examples in Markdown. Blocks marked `ts ignore` are no examples. */
export function examplesInMarkdown(text: string): Example[] {
  const examples: Example[] = [];
  for (const match of text.matchAll(BLOCK)) {
    const { attributes = "", code = "" } = match.groups ?? {};
    if (/\bignore\b/.test(attributes)) continue;
    const line = text.slice(0, match.index).split("\n").length + 1;
    const runs = !/\bno_run\b/.test(attributes);
    examples.push({ line, code, runs, needsTun: /\btun\b/.test(attributes) });
  }
  return examples;
}

const BLOCK = /^```(?:ts|typescript)\b(?<attributes>[^\n]*)\n(?<code>[\s\S]*?)^```\s*$/gm;
