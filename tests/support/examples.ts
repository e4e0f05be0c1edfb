/**
 * Finds the examples in documentation: code blocks marked `ts` in docstrings and Markdown.
 *
 * @module
 */

/** A code block. */
export interface Example {
  /** Line number of the first line of code. */
  readonly line: number;
  readonly code: string;
  /** False for `ts no_run`: it cannot run in a test. */
  readonly runs: boolean;
  /** True for `ts tun`: it creates a TUN device, so it runs in a network namespace. */
  readonly needsTun: boolean;
}

/**
 * The examples in the docstrings of a TypeScript file; in `comments`, everything but comments is
 * blank.
 */
export function examplesInDocstrings(comments: string): Example[] {
  return examplesInMarkdown(comments.replace(/^ *(?:\/\*\*|\*\/|\*(?!\/)) ?/gm, ""));
}

/** The examples in Markdown. Blocks marked `ts ignore` are skipped. */
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
