/**
 * The service: `deno run -A main.ts` or `bun run main.ts`; `--help` lists the flags.
 *
 * @module
 */
import { main } from "./adapters/service/cli/command_line.ts";

await main();
