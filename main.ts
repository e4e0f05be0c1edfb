/**
 * The service: `deno run -A main.ts` or `bun run main.ts`; `--help` lists the flags.
 *
 * @module
 */
import process from "node:process";
import { versionFault } from "./adapters/runtime/required_versions.ts";

const fault = versionFault(process.versions);
if (fault !== undefined) {
  console.error(fault);
  process.exit(1);
}

// Older runtimes cannot load the rest.
const { main } = await import("./adapters/service/cli/command_line.ts");
await main();
