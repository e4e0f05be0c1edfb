/**
 * Runs of the service as a process, for tests of its command line.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import type { HostPort } from "../../core/api/host_port.ts";
import { ROOT } from "./source_files.ts";

/** The arguments of the runtime. */
export const RUN: readonly string[] = process.versions.bun ? ["main.ts"] : ["run", "-A", "main.ts"];

const running = new Set<Run>();

/** Ends the runs of a test. */
export async function endRuns(): Promise<void> {
  for (const run of running) await run.end();
  running.clear();
}

/** A run of the service. */
export class Run {
  readonly #child: ChildProcess;
  /** Resolves with the exit code, or the name of the signal that ended it. */
  readonly exit: Promise<number | string | null>;
  out = "";
  log = "";
  #looking: (() => void)[] = [];

  constructor(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.#child = spawn(program, args, { cwd: ROOT, env });
    this.#child.stdout!.on("data", (chunk) => this.#hear(() => this.out += chunk));
    this.#child.stderr!.on("data", (chunk) => this.#hear(() => this.log += chunk));
    this.exit = new Promise((resolve) =>
      this.#child.on("close", (code, signal) => this.#hear(() => resolve(code ?? signal)))
    );
    running.add(this);
  }

  /** Resolves with the first match in the output. */
  async printed(pattern: RegExp, where: "out" | "log" = "out"): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this[where]);
      if (match) return match;
      if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.out}${this.log}`);
      await new Promise<void>((resolve) => this.#looking.push(resolve));
    }
  }

  /** The process ID. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** Ends it at once. */
  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exit;
  }

  /** The first published port, once it is open. */
  async published(): Promise<HostPort> {
    const [, port] = await this.printed(/127\.0\.0\.1:(\d+)[\s\S]*Ctrl\+C/);
    return { hostname: "127.0.0.1", port: Number(port) };
  }

  /**
   * Does not use `ChildProcess.kill()`, which on Deno works only once and overrides the exit code.
   */
  kill(signal: NodeJS.Signals): void {
    process.kill(this.#child.pid!, signal);
  }

  /** Closes its output pipes. */
  stopReading(): void {
    this.#child.stdout!.destroy();
    this.#child.stderr!.destroy();
  }

  #hear(take: () => void): void {
    take();
    for (const look of this.#looking.splice(0)) look();
  }
}

/** Runs the service with the runtime that runs this test. */
export function start(...flags: string[]): Run {
  return new Run(process.execPath, [...RUN, ...flags]);
}
