/**
 * Checks what `deno publish` would upload to JSR. Fails if there is a warning, because Deno itself ends with 0 then.
 *
 *     deno run -A release/jsr/dry_run.ts
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The warnings in Deno's output, which also lists all files, whatever their names are. */
export function warningsIn(output: string): string[] {
  return output.split("\n").filter((line) =>
    /\bwarning\b/i.test(line) && !/^\s*file:\/\//.test(line)
  );
}

if (import.meta.main) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath, // Deno, which need not be on the PATH
    ["publish", "--dry-run", "--allow-dirty"],
    { cwd: ROOT, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
  );
  console.error(`${stdout ?? ""}${stderr ?? ""}`);
  const warnings = warningsIn(`${stdout ?? ""}${stderr ?? ""}`);
  if (warnings.length > 0) console.error(`deno publish warns: ${warnings.join("; ")}`);
  process.exitCode = status === 0 && warnings.length === 0 ? 0 : 1;
}
