/**
 * Scripts that belong to no row: cases inspired by other test suites, written independently.
 *
 * @module
 */
import process from "node:process";
import { runOnLinux } from "../linux/run.ts";
import { TARGET } from "../results.ts";
import { CoreTarget } from "../script/core_target.ts";
import { parseScript } from "../script/parse.ts";
import { runScript } from "../script/run.ts";
import { NotExpressible } from "../script/target.ts";

/** Plays a script in virtual time, or against Linux if the suite runs against it. */
export async function play(text: string): Promise<void> {
  if (process.env[TARGET] === "linux") return await onLinux(text);
  const script = parseScript(text);
  await runScript(script, new CoreTarget(script));
}

async function onLinux(text: string): Promise<void> {
  try {
    await runOnLinux(text);
  } catch (error) {
    if (!(error instanceof NotExpressible)) throw error;
  }
}
