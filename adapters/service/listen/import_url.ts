/**
 * Imports a module by a computed URL.
 *
 * @module
 */

/**
 * Imports the module at a URL, which must be absolute. `deno publish` would analyze a literal `import(url)`: it would
 * warn of the computed specifier, and make one that begins with `file:///` relative to the published module.
 */
export const importUrl = new Function("url", "return import(url)") as (
  url: string,
) => Promise<{ default?: unknown }>;
