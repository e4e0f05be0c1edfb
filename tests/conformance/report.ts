/**
 * Runs the conformance tests on this runtime and prints the outcome of each row.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { REPORT, type RowResult } from "./results.ts";
import { type Row, ROWS } from "./rows.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = "tests/conformance";

type Outcome = RowResult["outcome"] | "missing";

async function main(): Promise<void> {
  const results = await runTests();
  let section = "";
  let passed = 0;
  for (const row of ROWS) {
    if (row.section !== section) console.log(`\n${section = row.section}`);
    const { outcome, why } = judge(results.filter(({ number }) => number === row.number));
    if (outcome === "passed") passed++;
    console.log(describeRow(row, outcome, why));
  }
  console.log(`\n${passed} of ${ROWS.length}`);
  if (results.some(({ outcome }) => outcome === "failed") || results.length === 0) {
    process.exitCode = 1;
  }
}

/** A row passes if all of its tests pass. */
function judge(results: readonly RowResult[]): { outcome: Outcome; why: string } {
  for (const outcome of ["failed", "decided against"] as const) {
    const found = results.find((result) => result.outcome === outcome);
    if (found !== undefined) return { outcome, why: found.why ?? "" };
  }
  return { outcome: results.length > 0 ? "passed" : "missing", why: "" };
}

function describeRow({ number, title, rfc }: Row, outcome: Outcome, why: string): string {
  const line = `${String(number).padStart(5)}  ${outcome.padEnd(15)}  ${title}${rfc}`;
  const reasons = why.split("\n").map((reason) => `\n${" ".repeat(24)}${reason}`);
  return why === "" ? line : line + reasons.join("");
}

async function runTests(): Promise<RowResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "berth-conformance-"));
  try {
    const path = join(folder, "results.jsonl");
    const output = await run(testArguments(), { ...process.env, [REPORT]: path });
    const lines = await readFile(path, "utf8").catch(() => "");
    if (lines === "") console.error(output);
    return lines.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function testArguments(): string[] {
  return process.versions["bun"] === undefined
    ? ["test", "-A", "--no-check", FOLDER]
    : ["test", "--timeout=30000", FOLDER];
}

/** Runs the runtime; resolves with its output. */
function run(args: readonly string[], env: Record<string, string | undefined>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, env });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => output.push(text));
    }
    child.once("error", reject).once("close", () => resolve(output.join("")));
  });
}

await main();
