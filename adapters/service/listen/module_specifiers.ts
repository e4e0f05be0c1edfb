/**
 * What a module imports, as Deno would load it. Deno has no parser that a program could use.
 *
 * @module
 */

/** Comments, and text in quotes. */
const TOKENS =
  /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[^]|[^`\\])*`/g;
/** What stands in front of a specifier. */
const IMPORT = /\b(?:from|import|import\s*\(|require\s*\()\s*$/;
/** Imports of types are not loaded. */
const TYPES = /\b(?:import|export)\s+type\b(?!\s+from\b)[^;]*$/;

/**
 * The specifiers of static imports and exports, and of dynamic ones with a literal. A module that hides
 * one from this has run already, with all that it may do.
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
