/**
 * The kernel as both ends of an impaired path.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Conditions } from "../sim/wire.ts";
import { Namespace } from "../support/namespace.ts";
import { ROOT } from "../support/source_files.ts";

/** One run. */
export interface KernelRun {
  readonly congestion: string;
  readonly seed: number;
  readonly seconds: number;
  /** Whether the path keeps a processor busy, so that it delays packets by a few microseconds instead of dozens. */
  readonly polls: boolean;
  /** Conditions from the sender, and differences in the return direction. */
  readonly conditions: Partial<Conditions>;
  readonly back: Partial<Conditions>;
}

/** Output of the program. */
export interface KernelPathResult {
  /** Number of bytes received since the SYN. */
  readonly bytes: number;
  /** The longest time without received data. */
  readonly silenceMs: number;
  /**
   * The median and the 99th percentile of the delay, in milliseconds, by which packets left the
   * path late.
   */
  readonly medianLateMs: number;
  readonly lateMs: number;
}

const START_MS = 20_000;
/**
 * The program simulates the path, so it must not be delayed by other processes. Linux schedules
 * sessions by the weight of their autogroup first.
 */
const IN_FRONT = ["setsid", "--wait", "sh", "-c"];
const FIRST = 'echo -20 >/proc/self/autogroup 2>/dev/null; exec nice -n -20 "$@"';

/** `programs/kernel_path.c`, compiled; requires `"tun"` and `"program:cc"`. */
export class KernelPath implements Disposable {
  readonly #folder: string;
  readonly #program: string;

  private constructor(folder: string, program: string) {
    this.#folder = folder;
    this.#program = program;
  }

  static compile(): KernelPath {
    const folder = mkdtempSync(join(tmpdir(), "kernel-path-"));
    const program = join(folder, "kernel_path");
    const source = join(ROOT, "tests/differential/programs/kernel_path.c");
    execFileSync("cc", ["-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source, "-lm"]);
    return new KernelPath(folder, program);
  }

  async run({ congestion, seed, seconds, polls, conditions, back }: KernelRun) {
    await using namespace = await Namespace.open();
    // Saved metrics of an earlier connection would shorten slow start.
    await namespace.shell("sysctl -qw net.ipv4.tcp_no_metrics_save=1");
    const args = [
      ...[congestion, seed, seconds, polls ? 1 : 0].map(String),
      ...given("forward", conditions),
      ...given("back", { ...conditions, bytesPerMs: 0, ...back }),
    ];
    const command = [...IN_FRONT, FIRST, "sh", this.#program, ...args];
    return JSON.parse(await namespace.run(command, seconds * 1000 + START_MS)) as KernelPathResult;
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

function given(way: "forward" | "back", conditions: Partial<Conditions>): string[] {
  return Object.entries(conditions).map(([name, value]) => `${way}.${name}=${Number(value)}`);
}
