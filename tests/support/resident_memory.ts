/**
 * The resident memory of programs.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { Program } from "./program.ts";

/** Resident memory of a process, in bytes. */
export function memoryOf({ pid }: Pick<Program, "pid">): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))!;
  return Number(kilobytes) * 1024;
}
