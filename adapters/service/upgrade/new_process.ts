/**
 * Starts this program again, in the same way as this process was started.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import type { LibcHost } from "../../runtime/libc/host.ts";
import { runtimeName } from "../../runtime/runtime.ts";
import { cString, O_CLOEXEC } from "../../runtime/libc/linux.ts";

/** The argument of a process that is to take over, followed by the name of a socket. */
export const UPGRADE_ARGUMENT = "--upgrade-from";

/** The path of the program. If its file was replaced while it runs, Linux adds "(deleted)". */
export const PROGRAM: string = process.execPath.replace(/ \(deleted\)$/, "");
const COMMAND_LINE = "/proc/self/cmdline";
const MAX_COMMAND_LINE = 256 * 1024;

/** The arguments without those of {@link UPGRADE_ARGUMENT}, and its value. */
export function withoutUpgrade(
  [first, name, ...rest]: readonly string[],
): { readonly from: string | undefined; readonly args: readonly string[] } {
  if (first === UPGRADE_ARGUMENT) return { from: name, args: rest };
  return { from: undefined, args: [first, name, ...rest].filter((each) => each !== undefined) };
}

/** The arguments for a new process: those of the runtime, then {@link UPGRADE_ARGUMENT}, then the service's. */
export function upgradeArguments(
  commandLine: readonly string[],
  own: readonly string[],
  name: string,
): string[] {
  const { args } = withoutUpgrade(own);
  const runtime = commandLine.slice(1, commandLine.length - own.length);
  return [...runtime, UPGRADE_ARGUMENT, name, ...args];
}

/** A process that was started. */
export interface NewProcess {
  readonly pid: number;
  /** Resolves when the process has ended, with the cause, such as `exit code 1`. */
  readonly ended: Promise<string>;
  /** Kills the process. */
  kill(): void;
}

declare const Deno: {
  Command: new (program: string, options: Readonly<Record<string, unknown>>) => {
    spawn(): {
      readonly pid: number;
      readonly status: Promise<{ readonly code: number; readonly signal: string | null }>;
      kill(signal: string): void;
    };
  };
};

/**
 * Starts the program with the same runtime, flags and standard streams. It connects to the socket `name`.
 *
 * @throws {Error} The command line cannot be read, or the program cannot be started.
 */
export async function startAgain(host: LibcHost, name: string): Promise<NewProcess> {
  const args = upgradeArguments(commandLineOf(host), process.argv.slice(2), name);
  return runtimeName() === "deno" ? startOnDeno(args) : await startOnBun(args);
}

/** Deno's own API, because `node:child_process` would need the permission to read all environment variables. */
function startOnDeno(args: readonly string[]): NewProcess {
  const streams = { stdin: "inherit", stdout: "inherit", stderr: "inherit" };
  const child = new Deno.Command(PROGRAM, { args, ...streams }).spawn();
  let isRunning = true;
  const ended = child.status.then(({ code, signal }) => {
    isRunning = false;
    return signal === null ? `exit code ${code}` : `signal ${signal}`;
  });
  return { pid: child.pid, ended, kill: () => isRunning && child.kill("SIGKILL") };
}

function startOnBun(args: readonly string[]): Promise<NewProcess> {
  const child = spawn(PROGRAM, args, { stdio: "inherit" });
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      resolve(code === null ? `signal ${signal}` : `exit code ${code}`);
    });
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("spawn", () => {
      resolve({ pid: child.pid!, ended, kill: () => void child.kill("SIGKILL") });
    });
  });
}

/** Reads the command line through the C library, because Deno's permissions for single paths do not cover `/proc`. */
function commandLineOf({ libc, errno }: LibcHost): string[] {
  const fd = libc.open(cString(COMMAND_LINE), O_CLOEXEC);
  if (fd < 0) throw new Error(`cannot read ${COMMAND_LINE}: Linux error ${errno()}`);
  const all = new Uint8Array(MAX_COMMAND_LINE);
  let size = 0;
  for (;;) {
    const rest = all.subarray(size);
    const length = rest.length === 0 ? 0 : libc.read(fd, rest, rest.length);
    if (length <= 0) break;
    size += length;
  }
  libc.close(fd);
  return new TextDecoder().decode(all.subarray(0, size)).split("\0").slice(0, -1);
}
