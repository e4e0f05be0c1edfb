/**
 * Serves the admin API on a Unix socket or a TCP port of the host.
 *
 * @module
 */
import { chmodSync, lstatSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { basename, dirname, join } from "node:path";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { runtimeName } from "../../runtime/runtime.ts";
import { messageLine, UsageError } from "../errors.ts";
import type { AdminSetting } from "../settings/admin_setting.ts";

type Fetch = (request: Request) => Response | Promise<Response>;

declare const Bun: {
  serve(options: Readonly<Record<string, unknown>>): {
    readonly port?: number;
    stop(closeActive: boolean): Promise<void>;
  };
};
declare const Deno: {
  serve(
    options: Readonly<Record<string, unknown>>,
    fetch: Fetch,
  ): { readonly addr: { readonly port?: number }; readonly finished: Promise<void> };
};

/** A server of the runtime. */
export interface AdminServer {
  /** The TCP port, also one that was chosen for port 0; `undefined` for a Unix socket. */
  readonly port: number | undefined;
  /** Ends it, and removes its socket. */
  close(): Promise<void>;
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
): Promise<AdminServer> {
  if (!("path" in address)) {
    try {
      return serve({ hostname: address.hostname, port: address.port }, fetch);
    } catch (error) {
      throw new Error(`--admin ${formatHostPort(address)}: ${messageLine(error)}`);
    }
  }
  const { path } = address;
  await requireUnused(path);
  // Bound in a folder that nobody else can enter, and moved when only the owner can use it.
  const folder = mkdtempSync(join(dirname(path), `.${basename(path)}-`));
  try {
    const { close } = serve({ path: join(folder, "s") }, fetch);
    chmodSync(join(folder, "s"), 0o600);
    renameSync(join(folder, "s"), path);
    return {
      port: undefined,
      async close() {
        await close();
        rmSync(path, { force: true });
      },
    };
  } catch (error) {
    throw new Error(`--admin unix:${path}: ${messageLine(error)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function serve(where: Partial<HostPort> & { path?: string }, fetch: Fetch): AdminServer {
  if (runtimeName() === "bun") {
    const { path: unix, ...tcp } = where;
    const server = Bun.serve({
      ...unix === undefined ? tcp : { unix },
      fetch,
      // The next line of `/events` may be hours away.
      idleTimeout: 0,
    });
    return { port: server.port, close: () => server.stop(true) };
  }
  const aborting = new AbortController();
  const server = Deno.serve({ ...where, signal: aborting.signal, onListen() {} }, fetch);
  return {
    port: server.addr.port,
    async close() {
      aborting.abort();
      await server.finished;
    },
  };
}

/** @throws {UsageError} There is a socket in use, or another file. */
async function requireUnused(path: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket()) {
    throw new UsageError(
      `--admin unix:${path}: there is a file that is not a socket: choose another path`,
    );
  }
  const isUsed = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
  if (isUsed) {
    throw new UsageError(
      `--admin unix:${path}: another service listens there: choose another path`,
    );
  }
}
