/**
 * Imports a module by a computed URL.
 *
 * @module
 */

/**
 * Imports the module at a URL, which must be absolute. A literal `import(url)` would be part of what
 * `deno publish` analyzes: it warns of a computed specifier and makes one that begins with `file:///`
 * relative to the published module.
 */
export const importUrl = new Function("url", "return import(url)") as (
  url: string,
) => Promise<{ default?: unknown }>;
