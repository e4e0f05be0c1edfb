/**
 * Unix sockets of the service that only their owner can use.
 *
 * @module
 */
import { chmodSync, lstatSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { basename, dirname, join } from "node:path";
import { messageLine, UsageError } from "./errors.ts";

/**
 * Binds a Unix socket by `bind`, which gets the path to use. The socket gets mode 0600 before anyone can connect to
 * it; it replaces an existing socket that nobody listens on. `flag` names the setting with the path, for messages.
 *
 * @throws {UsageError} Another service listens on the socket, or the path is that of another file.
 * @throws {Error} The socket cannot be bound.
 */
export async function bindPrivately<T>(
  path: string,
  flag: string,
  bind: (path: string) => T | Promise<T>,
): Promise<T> {
  await requireUnusedPath(path, flag);
  try {
    // Bound in a folder that only the owner can enter, and moved out of it once it has mode 0600.
    const folder = mkdtempSync(join(dirname(path), `.${basename(path)}-`));
    try {
      const bound = await bind(join(folder, "s"));
      chmodSync(join(folder, "s"), 0o600);
      renameSync(join(folder, "s"), path);
      return bound;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  } catch (error) {
    throw new Error(`${flag} unix:${path}: ${messageLine(error)}`);
  }
}

/**
 * Checks that no other service listens on a Unix socket; `flag` names the setting with the path, for messages.
 *
 * @throws {UsageError} Another service listens on it, or the path is that of another file.
 */
export async function requireUnusedPath(path: string, flag: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket()) {
    throw new UsageError(
      `${flag} unix:${path}: there is a file that is not a socket: choose another path`,
    );
  }
  if (await accepts(connect(path))) {
    throw new UsageError(
      `${flag} unix:${path}: another service listens there: choose another path`,
    );
  }
}

/**
 * Waits until a socket has connected or has failed to connect, and closes it. Resolves with whether it has connected.
 */
export function accepts(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    socket.once("connect", () => {
      resolve(true);
      socket.destroy();
    }).once("error", () => resolve(false));
  });
}
