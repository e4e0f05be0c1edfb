/**
 * Serves the admin API on a Unix socket or a TCP port of the host.
 *
 * @module
 */
import { chmodSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { basename, dirname, join } from "node:path";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { runtimeName } from "../../runtime/runtime.ts";
import { messageLine } from "../errors.ts";
import { accepts, requireUnusedPath } from "../private_socket.ts";
import type { AdminSetting } from "../settings/admin_setting.ts";
import { serveTcp } from "./tcp_server.ts";

/** What is served. */
export type Fetch = (request: Request) => Response | Promise<Response>;

declare const Bun: {
  serve(options: Readonly<Record<string, unknown>>): {
    stop(closeActive: boolean): Promise<void>;
  };
};
declare const Deno: {
  serve(
    options: Readonly<Record<string, unknown>>,
    fetch: Fetch,
  ): {
    readonly finished: Promise<void>;
    shutdown(): Promise<void>;
  };
};

/** A server of the runtime. */
export interface AdminServer {
  /** The TCP port, which was chosen if port 0 was requested; `undefined` for a Unix socket. */
  readonly port: number | undefined;
  /** Replaces the server of the process that has handed over. */
  takeOver(): void;
  /** Another process has taken over the address: ends after the answers to requests in progress. */
  leave(): void;
  /** Ends it, and removes its socket. */
  close(): Promise<void>;
}

/** Options of {@link listenForAdmin}. */
export interface AdminListenOptions {
  /** Another process of the service listens there until `takeOver()`. */
  readonly replaces?: boolean;
}

/**
 * Serves `fetch`. A Unix socket has mode 0600 before anyone can connect to it, and replaces one
 * without a listener.
 *
 * @throws {UsageError} Another service listens on the socket, or the path is that of another file.
 * @throws {Error} The address is not available.
 */
export async function listenForAdmin(
  address: AdminSetting["listen"],
  fetch: Fetch,
  { replaces = false }: AdminListenOptions = {},
): Promise<AdminServer> {
  if (!("path" in address)) {
    try {
      if (!replaces) await requireUnusedPort(address);
      const { port, close, finish } = await serveTcp(address, fetch);
      return { port, close, takeOver() {}, leave: () => void finish() };
    } catch (error) {
      throw new Error(`--admin ${formatHostPort(address)}: ${messageLine(error)}`);
    }
  }
  const { path } = address;
  if (!replaces) await requireUnusedPath(path, "--admin");
  // Bound in a folder that only the owner can enter, and moved out of it once it has mode 0600.
  let folder = "";
  try {
    folder = mkdtempSync(join(dirname(path), `.${basename(path)}-`));
    const { close, finish } = serveUnix(join(folder, "s"), fetch);
    chmodSync(join(folder, "s"), 0o600);
    let isOurs = false;
    const takeOver = () => {
      renameSync(join(folder, "s"), path);
      rmSync(folder, { recursive: true, force: true });
      isOurs = true;
    };
    if (!replaces) takeOver();
    return {
      port: undefined,
      takeOver,
      leave() {
        isOurs = false;
        void finish();
      },
      async close() {
        await close();
        rmSync(folder, { recursive: true, force: true });
        if (isOurs) rmSync(path, { force: true });
      },
    };
  } catch (error) {
    if (folder !== "") rmSync(folder, { recursive: true, force: true });
    throw new Error(`--admin unix:${path}: ${messageLine(error)}`);
  }
}

/** A server, without its address. */
export interface RunningServer {
  /** The TCP port. */
  readonly port: number | undefined;
  /** Ends at once. */
  close(): Promise<void>;
  /** Accepts no more connections, and ends after the answers to requests in progress. */
  finish(): void | Promise<void>;
}

/** How long answers in progress may take after the end, in milliseconds. */
const FINISH_MS = 1000;

/** Only the owner of the service can connect, so that the runtime's server needs no limit. */
function serveUnix(path: string, fetch: Fetch): RunningServer {
  const answer: Fetch = (request) => fetch(withOrigin(request));
  if (runtimeName() === "bun") {
    const server = Bun.serve({
      unix: path,
      fetch: answer,
      // The next line of `/events` may be hours away.
      idleTimeout: 0,
    });
    let finished: Promise<void> | undefined;
    return {
      port: undefined,
      async close() {
        if (finished !== undefined) await withinLimit(finished);
        await server.stop(true);
      },
      finish: () => finished ??= server.stop(false),
    };
  }
  const aborting = new AbortController();
  const server = Deno.serve({
    path,
    signal: aborting.signal,
    onListen() {},
  }, answer);
  let finished: Promise<void> | undefined;
  return {
    port: undefined,
    async close() {
      // Deno throws in an event listener if a server that is shutting down is aborted.
      if (finished !== undefined) {
        return await withinLimit(finished);
      }
      aborting.abort();
      await server.finished;
    },
    finish: () => finished ??= server.shutdown(),
  };
}

/**
 * Gives the URL of a request without Host, such as an HTTP/1.0 request of a health check, the origin `localhost`. On
 * Bun it has no origin; on Deno, with a Unix socket, the path of the socket takes its place.
 */
function withOrigin(request: Request): Request {
  if (request.headers.has("host") || request.url.startsWith("http:")) return request;
  const isPath = request.url.startsWith("/");
  const { pathname, search } = new URL(isPath ? `http://localhost${request.url}` : request.url);
  return new Request(`http://localhost${pathname}${search}`, request);
}

function withinLimit(finished: Promise<void>): Promise<void> {
  return Promise.race([finished, new Promise<void>((end) => setTimeout(end, FINISH_MS))]);
}

/** @throws {Error} Another program listens there, which the kernel permits because of `reusePort`. */
async function requireUnusedPort({ hostname, port }: HostPort): Promise<void> {
  if (port !== 0 && await accepts(connect({ host: hostname, port }))) {
    throw new Error("the port is in use");
  }
}
