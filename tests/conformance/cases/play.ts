/**
 * Scripts that belong to no row: cases that other suites think of, written anew.
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

/** Plays a script in virtual time; where the suite is played against Linux, against that. */
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
