/**
 * The table of tools, and the function that runs one.
 *
 * @module
 */
import process from "node:process";
import { adminOf } from "../remote.ts";
import { AdminClient } from "./admin_client.ts";
import { CAPTURE } from "./capture.ts";
import { outputTo } from "./output.ts";
import { SS } from "./ss.ts";
import { parseToolArguments, type Tool } from "./tool.ts";
import { TOP } from "./top/top.ts";
import { TRACE } from "./trace.ts";

/** The tools, by name. */
export const TOOLS: Readonly<Record<string, Tool>> = {
  top: TOP,
  ss: SS,
  trace: TRACE,
  capture: CAPTURE,
};

/**
 * Runs a tool until it has ended, or a signal interrupts it.
 *
 * @throws {UsageError} An argument is invalid, or no flag has the address of the admin API.
 * @throws {Error} The service cannot be reached, or refuses.
 */
export async function runTool(name: string, args: readonly string[]): Promise<0> {
  const tool = TOOLS[name]!;
  const given = parseToolArguments(name, tool, args);
  const { admin, config } = given.flags;
  const service = new AdminClient(
    adminOf({
      ...typeof admin === "string" && { admin },
      ...typeof config === "string" && { config },
    }),
  );
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (interrupted.signal.aborted) process.exit(1);
      interrupted.abort();
    });
  }
  await tool.run({ ...given, service, out: outputTo(process.stdout), signal: interrupted.signal });
  return 0;
}
