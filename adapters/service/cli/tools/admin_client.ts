import { type IncomingMessage, request } from "node:http";
import { formatHostPort } from "../../../../core/api/host_port.ts";
import { messageLine } from "../../errors.ts";
import type { AdminSetting } from "../../settings/admin_setting.ts";
import { askService } from "../remote.ts";

/** A stream of the admin API. */
export interface AdminStream extends AsyncIterable<Uint8Array> {
  /** Stops reading the stream. */
  close(): void;
}

/** A client of the admin API of a running service. */
export class AdminClient {
  readonly #admin: AdminSetting;

  constructor(admin: AdminSetting) {
    this.#admin = admin;
  }

  /**
   * The answer to a request without a body.
   *
   * @throws {Error} The service cannot be reached, or refuses.
   */
  async ask<T>(method: string, path: string): Promise<T> {
    return (await askService(this.#admin, method, path)).body as T;
  }

  /**
   * Opens a stream. The service may not respond until it has something to send; if `signal` is aborted before that,
   * the stream is empty.
   *
   * @throws {Error} The service cannot be reached, or refuses.
   */
  async open(path: string, signal?: AbortSignal): Promise<AdminStream> {
    const answer = await this.#request(path, signal);
    if (answer === undefined) return { async *[Symbol.asyncIterator]() {}, close() {} };
    if (answer.statusCode !== 200) {
      let text = "";
      for await (const chunk of answer.setEncoding("utf8")) text += chunk;
      throw new Error(errorIn(text));
    }
    return {
      [Symbol.asyncIterator]: () => chunksOf(answer),
      close: () => answer.destroy(),
    };
  }

  #request(path: string, signal?: AbortSignal): Promise<IncomingMessage | undefined> {
    const { listen, token } = this.#admin;
    const isUnix = "path" in listen;
    const where = isUnix ? `unix:${listen.path}` : formatHostPort(listen);
    return new Promise((resolve, reject) => {
      const asking = request({
        ...isUnix ? { socketPath: listen.path } : { host: listen.hostname, port: listen.port },
        path,
        headers: {
          Host: "localhost",
          ...token !== undefined && { Authorization: `Bearer ${token}` },
        },
      }, resolve).on("error", (error) => {
        reject(new Error(`cannot reach the service at ${where}: ${messageLine(error)}`));
      });
      asking.end();
      signal?.addEventListener("abort", () => {
        resolve(undefined);
        asking.destroy();
      });
    });
  }
}

/** The chunks, until the service or {@link AdminStream.close} ends the stream. */
async function* chunksOf(answer: IncomingMessage): AsyncIterableIterator<Uint8Array> {
  try {
    for await (const chunk of answer) yield chunk as Uint8Array;
  } catch (error) {
    if (!answer.destroyed) throw error;
  }
}

function errorIn(text: string): string {
  try {
    return (JSON.parse(text) as { error: string }).error;
  } catch {
    return "the answer is not that of berth's admin API";
  }
}
