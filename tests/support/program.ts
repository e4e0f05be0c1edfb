/**
 * Programs started by tests.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";

/** How a program ended: its exit code, or the signal that ended it. */
export type Exit = number | NodeJS.Signals | null;

/** Output of a program that has ended. */
export interface Output {
  readonly exit: Exit;
  readonly out: string;
  readonly log: string;
}

/** A running program. */
export class Program {
  /** Its stdout so far. */
  out = "";
  /** Its stderr so far. */
  log = "";
  /** Resolves once it has ended and all of its output has been read. */
  readonly ended: Promise<Output>;
  readonly #child: ChildProcess;
  readonly #name: string;
  #hasEnded = false;
  #looking: (() => void)[] = [];

  /** Starts a program; `command[0]` is looked up in the PATH. */
  constructor(command: readonly string[], folder: string) {
    const [program = "", ...args] = command;
    this.#name = command.join(" ");
    this.#child = spawn(program, args, { cwd: folder, env: ENVIRONMENT });
    this.#child.stdin!.on("error", () => {}); // it may end before it has read everything
    this.#child.stdout!.setEncoding("utf8").on(
      "data",
      (text) => this.#hear(() => this.out += text),
    );
    this.#child.stderr!.setEncoding("utf8").on(
      "data",
      (text) => this.#hear(() => this.log += text),
    );
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) =>
        this.#hear(() => {
          this.#hasEnded = true;
          resolve({ exit: code ?? signal, out: this.out, log: this.log });
        }));
    });
    this.ended.catch(() => {});
  }

  /** The process ID. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** Resolves with the first match in the output. */
  async printed(pattern: RegExp, where: "out" | "log" = "out"): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this[where]);
      if (match) return match;
      if (this.#hasEnded) throw new Error(`${this.#name} ended:\n${this.out}${this.log}`);
      await new Promise<void>((resolve) => this.#looking.push(resolve));
    }
  }

  /** Writes to its stdin. */
  say(text: string): void {
    this.#child.stdin!.write(text);
  }

  /** Closes its stdin. */
  hush(): void {
    this.#child.stdin!.end();
  }

  /**
   * Does not use `ChildProcess.kill()`, which on Deno works only once and overrides the exit code.
   */
  signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined || this.#hasEnded) return;
    try {
      process.kill(this.#child.pid, signal);
    } catch (error) {
      if ((error as { code?: string }).code !== "ESRCH") throw error;
    }
  }

  /** Resolves when it has ended; after `limitMs` it is killed, and this rejects. */
  async finish(limitMs: number): Promise<Output> {
    let limit: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      limit = setTimeout(() => {
        this.signal("SIGKILL");
        const said = `${this.out.slice(-2000)}${this.log.slice(-2000)}`;
        reject(new Error(`${this.#name} ran for more than ${limitMs} ms:\n${said}`));
      }, limitMs);
    });
    try {
      return await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(limit);
    }
  }

  /** Ends it, if it has not ended yet. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended.catch(() => {});
  }

  #hear(take: () => void): void {
    take();
    for (const look of this.#looking.splice(0)) look();
  }
}

/** The environment without proxy settings, since all servers in tests are reached directly. */
export const ENVIRONMENT: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name))),
  DENO_NO_UPDATE_CHECK: "1",
  LC_ALL: "C",
  NO_COLOR: "1",
};

/** The command that runs a module of this project with the test's runtime. */
export function runtimeCommand(module: string, ...args: readonly string[]): string[] {
  const run = process.versions.bun ? [] : ["run", "-A"];
  return [process.execPath, ...run, module, ...args];
}
