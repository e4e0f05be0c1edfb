/**
 * Serves the admin API on a Unix socket or a TCP port of the host.
 *
 * @module
 */
import { chmodSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { type Logger, silentLogger } from "../../../core/api/environment.ts";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { listening } from "../../host/reopening_server.ts";
import { messageLine } from "../errors.ts";
import { accepts, requireUnusedPath } from "../private_socket.ts";
import type { AdminSetting } from "../settings/admin_setting.ts";
import { type Fetch, serveConnections } from "./server.ts";

/** A server of the admin API. */
export interface AdminServer {
  /** The TCP port, which was chosen if port 0 was requested; `undefined` for a Unix socket. */
  readonly port: number | undefined;
  /** Takes over the address from the process that has handed over. */
  takeOver(): void;
  /** Closes the server after the responses to requests in progress; another process has taken over the address. */
  leave(): void;
  /** Closes the server, and removes its socket. */
  close(): Promise<void>;
}

/** Options of {@link listenForAdmin}. */
export interface AdminListenOptions {
  /** Whether another process of the service listens there until `takeOver()`. */
  readonly replaces?: boolean;
  /** Default: nothing is logged. */
  readonly log?: Logger;
}

/**
 * Serves `fetch`. A Unix socket gets mode 0600 before anyone can connect to it; it replaces an existing socket that
 * nobody listens on.
 *
 * @throws {UsageError} Another service listens on the socket, or the path is that of another file.
 * @throws {Error} The address is not available.
 */
export async function listenForAdmin(
  address: AdminSetting["listen"],
  fetch: Fetch,
  { replaces = false, log = silentLogger }: AdminListenOptions = {},
): Promise<AdminServer> {
  if (!("path" in address)) {
    try {
      if (!replaces) await requireUnusedPort(address);
      return await listenOnPort(address, fetch, log);
    } catch (error) {
      throw new Error(`--admin ${formatHostPort(address)}: ${messageLine(error)}`);
    }
  }
  const { path } = address;
  if (!replaces) await requireUnusedPath(path, "--admin");
  try {
    return await listenOnSocket(path, fetch, { replaces, log });
  } catch (error) {
    throw new Error(`--admin unix:${path}: ${messageLine(error)}`);
  }
}

/** Listens with `reusePort`, so that a process that takes over can listen before this one ends. */
async function listenOnPort(
  { hostname, port }: HostPort,
  fetch: Fetch,
  log: Logger,
): Promise<AdminServer> {
  let boundPort = port;
  const { close, finish } = await serveConnections(fetch, {
    log,
    name: `--admin ${formatHostPort({ hostname, port })}`,
    async bind(server) {
      await listening(server, { host: hostname, port: boundPort, reusePort: true });
      const bound = server.address();
      if (typeof bound === "object" && bound !== null) boundPort = bound.port;
    },
  });
  return { port: boundPort, close, takeOver() {}, leave: () => void finish() };
}

async function listenOnSocket(
  path: string,
  fetch: Fetch,
  { replaces, log }: { readonly replaces: boolean; readonly log: Logger },
): Promise<AdminServer> {
  let folder = "";
  let isOurs = !replaces;
  const removeFolder = () => {
    if (folder !== "") rmSync(folder, { recursive: true, force: true });
  };
  const moveIntoPlace = () => {
    renameSync(join(folder, "s"), path);
    removeFolder();
  };
  const { close, finish } = await serveConnections(fetch, {
    log,
    name: `--admin unix:${path}`,
    async bind(server: Server) {
      removeFolder();
      try {
        // Bound in a folder that only the owner can enter, and moved out of it once it has mode 0600.
        folder = mkdtempSync(join(dirname(path), `.${basename(path)}-`));
        await listening(server, { path: join(folder, "s") });
        chmodSync(join(folder, "s"), 0o600);
        if (isOurs) moveIntoPlace();
      } catch (error) {
        removeFolder();
        throw error;
      }
    },
  });
  return {
    port: undefined,
    takeOver() {
      moveIntoPlace();
      isOurs = true;
    },
    leave() {
      isOurs = false;
      void finish();
    },
    async close() {
      await close();
      removeFolder();
      if (isOurs) rmSync(path, { force: true });
    },
  };
}

/** @throws {Error} Another program listens there, which the kernel permits because of `reusePort`. */
async function requireUnusedPort({ hostname, port }: HostPort): Promise<void> {
  if (port !== 0 && await accepts(connect({ host: hostname, port }))) {
    throw new Error("the port is in use");
  }
}
