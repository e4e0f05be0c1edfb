/**
 * The oldest versions of the runtimes that the tests run with.
 *
 * @module
 */
import process from "node:process";

/** Major and minor version of each runtime. */
export const REQUIRED_VERSIONS: Readonly<Record<"deno" | "bun", string>> = {
  deno: "2.9",
  bun: "1.4",
};

/** Ends the process with one line on a runtime that cannot run the service. */
export function requireRuntime(): void {
  const fault = versionFault(process.versions);
  if (fault === undefined) return;
  console.error(fault);
  process.exit(1);
}

/**
 * What is wrong with the runtime that has these `process.versions`, and what to do; `undefined` if it can be used.
 */
export function versionFault(
  versions: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const name = versions["bun"] !== undefined ? "bun" : "deno";
  const version = versions[name];
  const needed = `Deno ${REQUIRED_VERSIONS.deno} or Bun ${REQUIRED_VERSIONS.bun}`;
  const advice = "with npm alone, write npx -y deno@2 or npx -y bun@1";
  if (version === undefined) {
    return `berth: Node.js ${
      versions["node"]
    } cannot run the service: use ${needed} or later; ${advice}`;
  }
  if (!isOlder(version, REQUIRED_VERSIONS[name])) return undefined;
  const runtime = name === "bun" ? "Bun" : "Deno";
  return `berth: ${runtime} ${version} is too old: use ${needed} or later; ${advice}`;
}

function isOlder(version: string, required: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [requiredMajor = 0, requiredMinor = 0] = required.split(".").map(Number);
  return major < requiredMajor || major === requiredMajor && minor < requiredMinor;
}
