/**
 * Network namespaces for tests.
 *
 * @module
 */
import process from "node:process";
import { Program } from "./program.ts";
import { namespaceCommand } from "./requirements.ts";
import { ROOT } from "./source_files.ts";

/** Default time limit of a program. */
const LIMIT_MS = 30_000;

/**
 * Keeps the namespaces until its stdin is closed, at the latest when the test's process ends; then
 * ends every process left in them. It mounts /sys if permitted, because /sys shows the devices of
 * the network namespace in which it was mounted. Outside a namespace of its own it exits at once.
 */
const HOLDER = `
  [ /proc/$PPID/ns/net -ef /proc/self/ns/net ] && exit 1
  mount -t sysfs sysfs /sys 2>/dev/null
  ip link set lo up && echo "$$ held"
  cat >/dev/null
  for process in /proc/[0-9]*; do
    pid=\${process#/proc/}
    [ "$pid" != $$ ] && [ "$process/ns/net" -ef /proc/self/ns/net ] && kill -KILL "$pid"
  done 2>/dev/null
  exit 0
`;

/** A network namespace with only a loopback device. Programs in it end with it. */
export class Namespace implements AsyncDisposable {
  /** Command prefix to run a program in it. */
  readonly enter: readonly string[];
  readonly #holder: Program;
  readonly #programs: Program[] = [];

  private constructor(holder: Program, enter: readonly string[]) {
    this.#holder = holder;
    this.enter = enter;
  }

  /** Creates a namespace; requires `"namespace"`, `ip` and `nsenter`. */
  static async open(): Promise<Namespace> {
    const [unshare, ...options] = namespaceCommand();
    const holder = new Program([unshare, "--mount", ...options, "sh", "-c", HOLDER], ROOT);
    const [, pid] = await holder.printed(/^(\d+) held\n/);
    const user = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
    // Entering the mount namespace changes the working directory to its root.
    const where = ["--net", "--mount", `--wd=${ROOT}`];
    return new Namespace(holder, ["nsenter", "--target", pid!, ...where, ...user, "--"]);
  }

  /** Starts a program in the project's folder; signals reach it directly. */
  start(...command: string[]): Program {
    const program = new Program([...this.enter, ...command], ROOT);
    this.#programs.push(program);
    return program;
  }

  /**
   * Runs a program to completion; resolves with its stdout. Rejects if it fails or takes too long.
   */
  async run(command: readonly string[], limitMs: number = LIMIT_MS): Promise<string> {
    const program = this.start(...command);
    program.hush();
    const { exit, out, log } = await program.finish(limitMs);
    if (exit === 0) return out;
    throw new Error(`${command.join(" ")} ended with ${exit}:\n${log.slice(-2000)}`);
  }

  /** {@link run} for a shell command line. */
  shell(line: string, limitMs?: number): Promise<string> {
    return this.run(["sh", "-c", line], limitMs);
  }

  /** Ends every program in it, and itself. */
  async close(): Promise<void> {
    this.#holder.hush();
    await this.#holder.ended;
    for (const program of this.#programs) await program.kill();
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
