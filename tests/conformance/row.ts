/**
 * Registers tests for rows of the list of behaviours.
 *
 * @module
 */
import process from "node:process";
import { runOnLinux } from "./linux/run.ts";
import { record, TARGET } from "./results.ts";
import { type Row, rowOf } from "./rows.ts";
import { CoreTarget } from "./script/core_target.ts";
import { parseScript } from "./script/parse.ts";
import { runScript } from "./script/run.ts";
import { NotExpressible } from "./script/target.ts";

/** A script, or a function for tests that cannot be written as one. */
export type RowTest = string | (() => void | Promise<void>);

/**
 * Registers tests of rows. Each call repeats the row's title, so that a reader need not look up the
 * number.
 *
 * @throws {Error} The title differs from that in the list.
 */
export interface Rows {
  /** Registers a test of a row; `detail` distinguishes several tests. */
  (number: number, title: string, test: RowTest): void;
  (number: number, title: string, detail: string, test: RowTest): void;
  /** Registers a row that this project has decided against, with the reason. */
  decidedAgainst(number: number, title: string, why: string): void;
}

/** Makes `row()` from `test()` of `bun:test`. */
export function rowsWith(test: (name: string, body: () => Promise<void>) => void): Rows {
  const onLinux = process.env[TARGET] === "linux";
  const row = (number: number, title: string, ...rest: [RowTest] | [string, RowTest]) => {
    const [detail, body] = rest.length === 2 ? rest : [undefined, rest[0]];
    const { rfc } = rowTitled(number, title);
    const suffix = detail === undefined ? "" : `, ${detail}`;
    const name = `row ${number}: ${title}${suffix}${rfc}`;
    if (!onLinux) test(name, () => recorded(number, detail, body));
    else if (typeof body === "string") test(name, () => compared(number, detail, body));
  };
  const decidedAgainst = (number: number, title: string, why: string) => {
    const { rfc } = rowTitled(number, title);
    test(`row ${number}: ${title}${rfc}: decided against, ${why}`, () => {
      if (!onLinux) record({ number, outcome: "decided against", why });
      return Promise.resolve();
    });
  };
  return Object.assign(row, { decidedAgainst });
}

function rowTitled(number: number, title: string): Row {
  const row = rowOf(number);
  if (row.title === title) return row;
  throw new Error(`row ${number} is "${row.title}" in rows.ts, and "${title}" in its test`);
}

async function recorded(number: number, detail: string | undefined, body: RowTest): Promise<void> {
  try {
    if (typeof body === "string") await runOnCore(body);
    else await body();
  } catch (error) {
    record({ number, detail, outcome: "failed", why: (error as Error).message });
    throw error;
  }
  record({ number, detail, outcome: "passed" });
}

/** Runs a script against the core. */
async function runOnCore(text: string): Promise<void> {
  const script = parseScript(text);
  await runScript(script, new CoreTarget(script));
}

/** Runs a script against the kernel; a difference is recorded but is not a failure. */
async function compared(number: number, detail: string | undefined, text: string): Promise<void> {
  try {
    await runOnLinux(text);
    record({ number, detail, outcome: "passed" });
  } catch (error) {
    const outcome = error instanceof NotExpressible ? "not expressible" : "failed";
    record({ number, detail, outcome, why: (error as Error).message });
  }
}
