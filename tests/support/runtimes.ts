/**
 * Finds Deno and Bun: the current runtime, one in the PATH, or one from npm.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";

/** An installed runtime. */
export interface Runtime {
  readonly name: "Deno" | "Bun";
  readonly version: string;
  /** Path of the executable. */
  readonly executable: string;
}

const SOURCES = {
  Deno: { command: "deno", npm: "deno@2", print: ["eval"] },
  Bun: { command: "bun", npm: "bun@1", print: ["-e"] },
} as const;

/** Finds a runtime; throws an error that says what to do if there is none. */
export function findRuntime(name: Runtime["name"]): Runtime {
  const { command, npm, print } = SOURCES[name];
  const candidates = [[command], ["npx", "-y", npm]];
  if (process.versions[command] !== undefined) candidates.unshift([process.execPath]);
  for (const [program = command, ...options] of candidates) {
    const answer = spawnSync(program, [...options, ...print, REPORT], { encoding: "utf8" });
    const [version, executable] = answer.status === 0 ? answer.stdout.trim().split("\n") : [];
    if (version && executable) return { name, version, executable };
  }
  throw new Error(`${name} is not installed: install it, or install npm, which can fetch it`);
}

const REPORT =
  'import process from "node:process"; console.log((process.versions.bun ?? process.versions.deno) + "\\n" + process.execPath)';
