/**
 * Tests in a network namespace of their own: the test file runs again in a child process of the
 * same runtime.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe } from "bun:test";
import { namespaceCommand, testRequiring } from "./requirements.ts";

const MARK = "BERTH_TEST_NAMESPACE";
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const LIMIT_MS = 60_000;

/**
 * `describe()` for the tests of a file that create TUN devices; at most once in a file. It is
 * reported as a single test.
 *
 * @param file `import.meta.url`
 */
export function describeInNamespace(file: string, name: string, body: () => void): void {
  if (process.env[MARK] === file) describe(name, body);
  else testRequiring(["tun"], `${name} (in a network namespace)`, () => run(file), LIMIT_MS);
}

async function run(file: string): Promise<void> {
  const [unshare, ...options] = namespaceCommand();
  const child = spawn(unshare, [...options, process.execPath, ...testArguments(file)], {
    cwd: ROOT,
    env: { ...process.env, [MARK]: file },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => output.push(text));
  }
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS - 5000);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  }).finally(() => clearTimeout(limit));
  if (code !== 0) {
    throw new Error(`exit code ${code ?? "none, it took too long"}\n${output.join("")}`);
  }
}

function testArguments(file: string): string[] {
  const path = fileURLToPath(file);
  return process.versions["bun"] === undefined
    ? ["test", "-A", "--no-check", path]
    : ["test", "--timeout=20000", path];
}
