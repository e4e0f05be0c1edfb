/**
 * A `node:net` server that accepts again after a lack of file descriptors, on both runtimes.
 *
 * @module
 */
import type { Server } from "node:net";
import type { Logger } from "../../core/api/environment.ts";
import { messageOf } from "../../core/api/error_text.ts";
import { keepAccepting } from "./descriptors.ts";

/** Interval between attempts to reopen the server, in milliseconds. */
const RETRY_MS = 1000;

/** Options of {@link ReopeningServer}. */
export interface ReopeningServerOptions {
  readonly log: Logger;
  /** Its name, for the log. */
  readonly name: string;
  /** Creates the server; called again each time it is reopened. */
  create(): Server;
  /** Resolves once the server listens. */
  bind(server: Server): Promise<void>;
}

/** Reopens a server if accepting cannot be restarted, as with Unix sockets on Deno. */
export class ReopeningServer {
  readonly #options: ReopeningServerOptions;
  #server: Server | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(options: ReopeningServerOptions) {
    this.#options = options;
  }

  /** @throws {Error} The server cannot be opened. */
  async open(): Promise<void> {
    const { log, name, create, bind } = this.#options;
    const server = this.#server = create();
    await bind(server);
    // Without a listener, an error would end the process.
    server.on("error", (error) => log.error("cannot accept", { reason: messageOf(error) }));
    if (this.#isClosed) return void server.close();
    keepAccepting(server, { log, name, reopen: () => this.#reopen() });
  }

  /** Stops accepting connections; resolves once those that were accepted have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await new Promise<void>((resolve) => {
      if (this.#server === undefined) resolve();
      else this.#server.close(() => resolve());
    });
  }

  #reopen(): void {
    this.#server?.close();
    this.open().catch(() => {
      if (!this.#isClosed) this.#retry = setTimeout(() => this.#reopen(), RETRY_MS);
    });
  }
}

/** Listens with `server`; rejects if it cannot. */
export function listening(
  server: Server,
  where: { path: string } | { host: string; port: number; reusePort?: boolean },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
