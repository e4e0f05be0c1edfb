/**
 * The service: `deno run -A main.ts` or `bun run main.ts`; `--help` lists the flags.
 *
 * @module
 */
import { requireRuntime } from "./adapters/runtime/required_versions.ts";

requireRuntime();
// Older runtimes cannot load the rest.
const { main } = await import("./adapters/service/cli/command_line.ts");
await main();
