/**
 * Finds and changes the imports of a module. Deno offers programs no parser, and Bun none that returns the positions of
 * imports.
 *
 * @module
 */

/** Comments, string literals, and regular expressions, which begin where an operand can be. */
const TOKENS = new RegExp(
  [
    /\/\*[^]*?\*\//,
    /\/\/[^\n]*/,
    /"(?:\\.|[^"\\\n])*"/,
    /'(?:\\.|[^'\\\n])*'/,
    /`(?:\\[^]|\$\{(?:`[^`]*`|\{[^{}]*\}|[^{}`])*\}|[^`\\])*`/,
    /(?<=(?:[(,=:[!&|?{};>]|^|\breturn)\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/,
  ].map(({ source }) => source).join("|"),
  "g",
);
/** The text in front of a specifier. */
const IMPORT = /\b(?:from|import|import\s*\(|require\s*\()\s*$/;
/** Type-only imports, which are not loaded. */
const TYPES = /\b(?:import|export)\s+type\b(?!\s+from\b)[^;]*$/;

/** A dynamic import in code without literals, in which those are quotes. */
const DYNAMIC = /(?<![.\w$#])import(?=\s*\()/g;
/** What follows the `import` of a literal. */
const OF_LITERAL = /^\s*\(\s*["'`]\s*[,)]/;

/**
 * The specifiers of static imports and exports, and of dynamic imports of a literal. A computed
 * specifier is not found; see {@link replaceComputedImports}.
 */
export function moduleSpecifiers(code: string): string[] {
  const found: string[] = [];
  mapSpecifiers(code, (specifier) => {
    found.push(specifier);
    return specifier;
  });
  return found;
}

/** The code with other specifiers, on the same lines; see {@link moduleSpecifiers}. */
export function mapSpecifiers(code: string, change: (specifier: string) => string): string {
  let result = "";
  let before = "";
  let at = 0;
  for (const { 0: token, index } of code.matchAll(TOKENS)) {
    before += code.slice(at, index);
    result += code.slice(at, index);
    at = index + token.length;
    if (token.startsWith("/")) {
      before += " ";
      result += token;
      continue;
    }
    const specifier = token.slice(1, -1);
    const isImport = IMPORT.test(before) && !TYPES.test(before);
    const changed = isImport ? change(specifier) : specifier;
    result += changed === specifier ? token : JSON.stringify(changed);
    before = "";
  }
  return result + code.slice(at);
}

/** The code with `callee` in place of the `import` of each dynamic import whose specifier is computed. */
export function replaceComputedImports(code: string, callee: string): string {
  // Of each literal one quote remains, none of a template with values: positions stay the same.
  const blank = code.replace(TOKENS, (token) => {
    const first = token.startsWith("/") ? " " : token.includes("${") ? "x" : token.charAt(0);
    return first.padEnd(token.length);
  });
  let result = "";
  let at = 0;
  for (const { index } of blank.matchAll(DYNAMIC)) {
    const end = index + "import".length;
    if (OF_LITERAL.test(blank.slice(end))) continue;
    result += code.slice(at, index) + callee;
    at = end;
  }
  return result + code.slice(at);
}
