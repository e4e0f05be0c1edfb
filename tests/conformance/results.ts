/**
 * Results that conformance tests record for the report.
 *
 * @module
 */
import { appendFileSync } from "node:fs";
import process from "node:process";

/** One test's outcome. */
export interface RowResult {
  readonly number: number;
  /** Distinguishes tests of one row. */
  readonly detail?: string | undefined;
  /** `"not expressible"`: the script cannot be played against the kernel. */
  readonly outcome: "passed" | "failed" | "decided against" | "not expressible";
  /** The message of a failure, or the reason of a decision. */
  readonly why?: string;
}

/** Environment variable with the path of the report. */
export const REPORT = "BERTH_CONFORMANCE_REPORT";

/** Environment variable that is `linux` to play scripts against the kernel. */
export const TARGET = "BERTH_CONFORMANCE_TARGET";

/** Adds a line to the report, if there is one. */
export function record(result: RowResult): void {
  const path = process.env[REPORT];
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(result)}\n`);
}
