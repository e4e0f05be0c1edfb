/**
 * A row's script against the Linux kernel.
 *
 * @module
 */
import { parseScript, type Script } from "../script/parse.ts";
import { runScript } from "../script/run.ts";
import { NotExpressible } from "../script/target.ts";
import { type Libc, openLibc } from "./libc.ts";
import { LinuxTarget, PORTS_PER_SCRIPT } from "./target.ts";

/** Longer scripts are not played in real time. */
const LONGEST_MS = 6000;

const FIRST_PORT = 10_000;
/** Reused after 500 s; the kernel forgets a connection after 60. */
const PORT_GROUPS = 5000;

let libc: Libc | undefined;
let turn = 0;

/**
 * Resolves if the kernel agrees. Rejects with {@link NotExpressible} if the script cannot be
 * played.
 */
export async function runOnLinux(text: string): Promise<void> {
  const script = parseScript(text);
  if (durationOf(script) > LONGEST_MS) throw new NotExpressible("takes too long in real time");
  libc ??= await openLibc();
  await using target = await LinuxTarget.open(libc, script, freshPorts());
  await runScript(script, target);
}

/** Chosen by the time, so that no process reuses ports that the kernel remembers. */
function freshPorts(): number {
  turn = Math.max(turn + 1, Math.floor(Date.now() / 100));
  return FIRST_PORT + (turn % PORT_GROUPS) * PORTS_PER_SCRIPT;
}

function durationOf({ lines }: Script): number {
  let at = 0;
  for (const { time } of lines) at = time.relative ? at + time.to : Math.max(at, time.to);
  return at;
}
