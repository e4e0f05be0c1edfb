/**
 * The service as a single program, which Bun compiles: `deno task binary`.
 *
 * @module
 */
import "./plugin_modules.ts";
import "../../main.ts";
