/**
 * Imports a module by a computed URL.
 *
 * @module
 */

/**
 * Imports the module at a URL, which must be absolute or name a built-in module. `deno publish` would analyze a literal `import(url)`: it would
 * warn of the computed specifier, and make one that begins with `file:///` relative to the published module.
 */
export const importUrl = new Function("url", "options", "return import(url, options)") as (
  url: string,
  options?: ImportCallOptions,
) => Promise<{ default?: unknown }>;
