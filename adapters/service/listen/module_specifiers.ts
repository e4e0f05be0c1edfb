/**
 * Finds the imports of a module that Deno would load. Deno offers programs no parser.
 *
 * @module
 */

/** Comments and string literals. */
const TOKENS =
  /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[^]|[^`\\])*`/g;
/** The text in front of a specifier. */
const IMPORT = /\b(?:from|import|import\s*\(|require\s*\()\s*$/;
/** Type-only imports, which are not loaded. */
const TYPES = /\b(?:import|export)\s+type\b(?!\s+from\b)[^;]*$/;

/**
 * The specifiers of static imports and exports, and of dynamic imports of a literal. A computed
 * specifier is not found; the code that computes it runs with the permissions of the process anyway.
 */
export function moduleSpecifiers(code: string): string[] {
  const found: string[] = [];
  let before = "";
  let at = 0;
  for (const { 0: token, index } of code.matchAll(TOKENS)) {
    before += code.slice(at, index);
    at = index + token.length;
    if (token.startsWith("/")) {
      before += " ";
      continue;
    }
    if (IMPORT.test(before) && !TYPES.test(before)) found.push(token.slice(1, -1));
    before = "";
  }
  return found;
}
