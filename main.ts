/**
 * The service: `deno run -A main.ts` or `bun run main.ts`; `--help` lists the flags.
 *
 * @module
 */
import { requireRuntime } from "./adapters/runtime/required_versions.ts";

requireRuntime();
// Imported afterwards, because older runtimes cannot load the other modules.
const { main } = await import("./adapters/service/cli/command_line.ts");
await main();
