/**
 * Measures what clients notice when instances behind one address start and end, in network namespaces with plain
 * multipath routes:
 *
 *     many_machines.ts [--connections 10000] [--runs 5] [--runtimes Deno,Bun] [--profiles local,internet]
 *         [--peers on|off]
 *
 * Needs root and `curl`. With the defaults it runs both runtimes with both profiles alternately, five times. Prints a line
 * of JSON for each run and step, then a line for each row of the table in `docs/many.md`: the most connections that were
 * broken in any run, and the median and the largest of the longest waits.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { findRuntime, type Runtime } from "../support/runtimes.ts";
import { ROOT } from "../support/source_files.ts";
import type { Step } from "./programs/many_machines_run.ts";
import { median, report } from "./report.ts";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    runs: { type: "string", default: "5" },
    runtimes: { type: "string", default: "Deno,Bun" },
    profiles: { type: "string", default: "local,internet" },
    peers: { type: "string", default: "on" },
  },
});
const { connections, peers } = values;
const cases = values.runtimes.split(",").flatMap((name) =>
  values.profiles.split(",").map((profile) => ({
    runtime: findRuntime(name as Runtime["name"]),
    profile,
    steps: new Map<string, Step[]>(),
  }))
);
const began = performance.now();
for (let run = 1; run <= Number(values.runs); run++) {
  for (const { runtime, profile, steps } of cases) {
    for (const step of await runOnce(runtime, profile)) {
      report("many machines, run", { run, runtimeOfRun: runtime.name, profile, ...step });
      steps.set(step.step, [...steps.get(step.step) ?? [], step]);
    }
  }
}
for (const { runtime, profile, steps } of cases) {
  const row: Record<string, string> = {};
  for (const [name, all] of steps) {
    const stalls = all.map(({ worstStallMs }) => worstStallMs);
    const own = all.map(({ own }) => own);
    const isKill = name.startsWith("kill");
    const most = Math.max(...all.map(({ broken, own }) => broken - (isKill ? own : 0)));
    const broken = isKill ? `${median(own)}, ${most}` : `${most}`;
    row[name] = `${broken} (${median(stalls)} ms, at most ${Math.max(...stalls)} ms)`;
  }
  const wrong = [...steps.values()].flat().reduce((sum, step) => sum + step.wrong, 0);
  report("many machines", { runtimeOfRun: runtime.name, profile, connections, wrong, ...row });
}
console.error(`took ${Math.round((performance.now() - began) / 1000)} s`);

/** One run; its namespaces end with it. */
function runOnce({ name, executable }: Runtime, profile: string): Promise<Step[]> {
  const program = "tests/bench/programs/many_machines_run.ts";
  const command = [...name === "Deno" ? ["run", "-A"] : [], program, connections, profile, peers];
  const child = spawn(executable, command, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => out += text);
  return new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (code) => {
      const steps = out.trim().split("\n").filter((line) => line !== "");
      if (code === 0) return resolve(steps.map((line) => JSON.parse(line)));
      reject(new Error(`a run on ${name} with profile ${profile} ended with ${code}:\n${out}`));
    });
  });
}
