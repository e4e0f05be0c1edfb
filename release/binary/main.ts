/**
 * The service as a single program, compiled by Bun with `deno task binary`.
 *
 * @module
 */
import "./plugin_modules.ts";
import "../../main.ts";
