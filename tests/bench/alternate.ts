/**
 * Runs loads on targets alternately, so that other activity of the machine affects all of them
 * alike.
 *
 * @module
 */
import { Program } from "../support/program.ts";
import { ROOT } from "../support/source_files.ts";
import { median, report } from "./report.ts";

/** A program that measures a target. */
export interface Load {
  readonly name: string;
  readonly unit: string;
  /** The command for a target; `undefined` if it cannot be measured. */
  command(target: Target): readonly string[] | undefined;
  /** Extracts the figure from the program's output; throws if there is none. */
  figure(out: string): number;
}

/** A target. */
export interface Target {
  readonly name: string;
  readonly address: string;
  /** Services that only some targets have. */
  readonly serves?: readonly string[];
  /**
   * Command prefix to enter the network from which it is reached, if different from that of the
   * others.
   */
  readonly enter?: readonly string[];
}

/** Result of a load on a target. */
export interface Measured {
  readonly load: string;
  readonly unit: string;
  readonly target: string;
  /** Median of the rounds; `undefined` if all rounds have failed. */
  readonly median?: number | undefined;
  readonly least?: number | undefined;
  readonly most?: number | undefined;
  /** Why rounds have no figure. */
  readonly failures?: readonly string[] | undefined;
}

/** Options of a run. */
export interface AlternateOptions {
  readonly benchmark: string;
  readonly rounds: number;
  /** Command prefix to enter the network of the targets. */
  readonly enter: readonly string[];
  /** Whether to start with a warm-up round that does not count. */
  readonly warmsUp?: boolean;
}

const LIMIT_MS = 60_000;

/** Measures every load on every target, one after the other; reports the medians of the rounds. */
export async function alternate(
  { benchmark, rounds, enter, warmsUp = false }: AlternateOptions,
  loads: readonly Load[],
  targets: readonly Target[],
): Promise<Measured[]> {
  const results: Measured[] = [];
  for (const load of loads) {
    const measured = targets.filter((target) => load.command(target) !== undefined);
    const figures = new Map(measured.map(({ name }) => [name, [] as Figure[]]));
    if (warmsUp) { for (const target of measured) await measure(load, target, enter); }
    for (let round = 0; round < rounds; round++) {
      for (const target of rotate(measured, round)) {
        figures.get(target.name)!.push(await measure(load, target, enter));
      }
    }
    for (const [target, all] of figures) {
      const result = { load: load.name, unit: load.unit, target, ...summary(all) };
      report(benchmark, result);
      results.push(result);
    }
  }
  return results;
}

/** A figure, or the reason for its absence. */
export type Figure = number | string;

/** Runs a load on a target once. */
export async function measure(
  load: Load,
  target: Target,
  enter: readonly string[],
): Promise<Figure> {
  try {
    const program = new Program([...target.enter ?? enter, ...load.command(target)!], ROOT);
    program.hush();
    const { exit, out, log } = await program.finish(LIMIT_MS);
    if (exit !== 0) throw new Error(`ended with ${exit}: ${log}${out}`.slice(0, 500));
    return load.figure(out);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Median, minimum and maximum of the figures, and the reasons for missing ones. */
export function summary(
  all: readonly Figure[],
): Omit<Measured, "load" | "unit" | "target"> {
  const figures = all.filter((one) => typeof one === "number");
  const failures = all.filter((one) => typeof one === "string");
  const said = failures.length > 0 ? { failures } : {};
  if (figures.length === 0) return said;
  const [least, most] = [Math.min(...figures), Math.max(...figures)];
  return { median: round(median(figures)), least: round(least), most: round(most), ...said };
}

function rotate<T>(items: readonly T[], by: number): T[] {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

function round(value: number): number {
  return value >= 1000 ? Math.round(value) : Math.round(value * 100) / 100;
}
