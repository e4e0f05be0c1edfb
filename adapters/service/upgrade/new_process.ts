/**
 * Starts this program again, as this process was started.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import type { LibcHost } from "../../runtime/libc/host.ts";
import { cString, O_CLOEXEC } from "../../runtime/libc/linux.ts";

/** The argument of a process that is to take over, followed by the name of a socket. */
export const UPGRADE_ARGUMENT = "--upgrade-from";

/** A program that is replaced while it runs counts as deleted. */
const PROGRAM = process.execPath.replace(/ \(deleted\)$/, "");
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

/**
 * Starts the program with the same runtime, flags and standard streams. It connects to the socket `name`.
 *
 * @throws {Error} The command line cannot be read.
 */
export function startAgain(host: LibcHost, name: string): ChildProcess {
  const args = upgradeArguments(commandLineOf(host), process.argv.slice(2), name);
  return spawn(PROGRAM, args, { stdio: "inherit" });
}

/** Reads the command line without Deno's permission, which covers nothing in `/proc`. */
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
