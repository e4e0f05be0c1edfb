/**
 * Checks of the host for `check`: whether the service could open its files, addresses and ports. Whatever is opened
 * for a check is closed at once.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdtempSync,
  openSync,
  rmdirSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import type { Logger } from "../../../core/api/environment.ts";
import { formatHostPort } from "../../../core/api/host_port.ts";
import { messageLine, UsageError } from "../errors.ts";
import { requireUnusedPath } from "../private_socket.ts";
import { openPort } from "../publish/open_port.ts";
import type { Settings } from "../settings/settings.ts";
import { requireProcessors } from "../workers/processors.ts";
import { isNotCapable } from "./permissions.ts";

/** The message of a warning about something that may be different when and where the service is started. */
const MESSAGE = "the service could not start here now";

/**
 * Checks files, folders, addresses and ports of the host. Ports and devices that are in use, and too few processors,
 * are only warnings: a configuration is often checked next to the running service that will reload it, or on another
 * machine.
 *
 * @throws {UsageError} Something cannot be used; the message has a line for each.
 */
export async function checkHost(
  settings: Settings,
  state: string | undefined,
  log: Logger,
): Promise<void> {
  const faults: string[] = [];
  const note = (text: string | undefined) => void (text !== undefined && faults.push(text));
  const warn = (reason: string) => log.warn(MESSAGE, { reason });
  tryOut(() => requireProcessors(settings), warn);
  const { capture, logFile, accessLogFile } = settings;
  note(faultOfFile("--log-file", logFile?.file));
  note(faultOfFile("--access-log-file", accessLogFile?.file));
  note(faultOfFile("--capture", capture?.file === "-" ? undefined : capture?.file));
  if (state !== undefined) note(faultOfFolder("--state", state, state));
  for (const setting of settings.publish) {
    await attempt(
      () => openPort(setting, setting.transport === "udp" ? bindOnce : listenOnce),
      (error) =>
        isInUse((error as Error).cause) ? warn(messageLine(error)) : note(messageLine(error)),
    );
  }
  const listen = settings.admin?.listen;
  if (listen !== undefined && "path" in listen) {
    note(faultOfFolder("--admin", `unix:${listen.path}`, dirname(listen.path)));
    const isSocket = lstatSync(listen.path, { throwIfNoEntry: false })?.isSocket() ?? false;
    await attempt(
      () => requireUnusedPath(listen.path, "--admin"),
      (error) => isSocket ? warn(messageLine(error)) : note(messageLine(error)),
    );
  } else if (listen !== undefined) {
    await attempt(() => listenOnce(listen.hostname, listen.port), (error) => {
      const text = `--admin ${formatHostPort(listen)}: ${messageLine(error)}`;
      return isInUse(error) ? warn(text) : note(text);
    });
  }
  if (faults.length > 0) throw new UsageError(faults.join("\n"));
}

function tryOut(run: () => void, onError: (reason: string) => void): void {
  try {
    run();
  } catch (error) {
    onError(messageLine(error));
  }
}

async function attempt(
  run: () => Promise<unknown>,
  onError: (error: unknown) => void,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    onError(error);
  }
}

function isInUse(error: unknown): boolean {
  return (error as { code?: string } | undefined)?.code === "EADDRINUSE";
}

/** What is wrong with a file that the service would write. An existing file is opened, but not changed. */
function faultOfFile(flag: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  if (!existsSync(file)) {
    const folder = dirname(file);
    if (!existsSync(folder)) return `${flag} ${file}: there is no folder ${folder}: create it`;
    return faultOfFolder(flag, file, folder);
  }
  try {
    // O_NONBLOCK: opening a FIFO must not wait for a reader.
    closeSync(openSync(file, constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK));
    return undefined;
  } catch (error) {
    return `${flag} ${file}: ${messageLine(error)}`;
  }
}

/**
 * What is wrong with a folder that the service would write or create. It tries to write, because modes do not show
 * what capabilities permit, nor that the disk is full or mounted read-only.
 */
function faultOfFolder(flag: string, value: string, folder: string): string | undefined {
  let existing = resolve(folder);
  while (!existsSync(existing)) existing = dirname(existing);
  try {
    rmdirSync(mkdtempSync(join(existing, ".berth-check-")));
    return undefined;
  } catch (error) {
    // Deno may have permission for the file, but not for its folder.
    return isNotCapable(error) ? undefined : `${flag} ${value}: ${messageLine(error)}`;
  }
}

function listenOnce(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen({ host, port }, () => server.close(() => resolve(port)));
  });
}

function bindOnce(address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.once("error", reject);
    socket.bind({ address, port }, () => socket.close(() => resolve(port)));
  });
}
