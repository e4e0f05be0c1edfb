/**
 * What a conformance test writes down for the report.
 *
 * @module
 */
import { appendFileSync } from "node:fs";
import process from "node:process";

/** One test's outcome. */
export interface RowResult {
  readonly number: number;
  /** Tells tests of one row apart. */
  readonly detail?: string | undefined;
  /** `"not expressible"`: the kernel cannot be asked. */
  readonly outcome: "passed" | "failed" | "decided against" | "not expressible";
  /** Of a failure: its message. Of a decision: the reason. */
  readonly why?: string;
}

/** The environment variable that names the file to write to. */
export const REPORT = "BERTH_CONFORMANCE_REPORT";

/** The environment variable that says `linux` where scripts are to run against the kernel. */
export const TARGET = "BERTH_CONFORMANCE_TARGET";

/** Adds a line to the report, if there is one. */
export function record(result: RowResult): void {
  const path = process.env[REPORT];
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(result)}\n`);
}
