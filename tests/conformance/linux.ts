/**
 * Plays the scripts of the conformance tests against the Linux kernel and prints where it agrees.
 * Needs a TUN device and the privilege to create a network namespace.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { namespaceCommand } from "../support/requirements.ts";
import { REPORT, type RowResult, TARGET } from "./results.ts";
import { rowOf } from "./rows.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LABELS = { "passed": "agrees", "failed": "differs", "not expressible": "-" } as const;

async function main(): Promise<void> {
  const results = await runScripts();
  for (const { number, detail, outcome, why } of results) {
    const label = LABELS[outcome as keyof typeof LABELS];
    const suffix = detail === undefined ? "" : `, ${detail}`;
    console.log(
      `${String(number).padStart(5)}  ${label.padEnd(8)}  ${rowOf(number).title}${suffix}`,
    );
    if (why !== undefined) console.log(why.replaceAll(/^/gm, " ".repeat(17)));
  }
  const count = (outcome: RowResult["outcome"]) =>
    results.filter((result) => result.outcome === outcome).length;
  console.log(
    `\n${count("passed")} scripts agree, ${count("failed")} differ, ` +
      `${count("not expressible")} cannot be played`,
  );
  if (results.length === 0) process.exitCode = 1;
}

async function runScripts(): Promise<RowResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "berth-conformance-"));
  try {
    const path = join(folder, "results.jsonl");
    const output = await run({ ...process.env, [REPORT]: path, [TARGET]: "linux" });
    const lines = await readFile(path, "utf8").catch(() => "");
    if (lines === "") console.error(output);
    const results = lines.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    return results.sort((a: RowResult, b: RowResult) => a.number - b.number);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the tests in a namespace; resolves with their output. */
function run(env: Record<string, string | undefined>): Promise<string> {
  const [program, ...options] = namespaceCommand();
  const tests = process.versions["bun"] === undefined
    ? ["test", "-A", "--no-check", "tests/conformance"]
    : ["test", "--timeout=60000", "tests/conformance"];
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...options, process.execPath, ...tests], { cwd: ROOT, env });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => output.push(text));
    }
    child.once("error", reject).once("close", () => resolve(output.join("")));
  });
}

await main();
