/**
 * An http plugin on one end of a socket pair, a raw client on the other.
 *
 * @module
 */
// As in the service, this registers the faster functions of this runtime.
import "../../../adapters/runtime/fetch/mod.ts";
import type { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import type { Context } from "../../../core/api/types.ts";
import { type FetchApp, http, type HttpOptions } from "../../../plugins/http.ts";
import {
  type FakeSocket,
  type LogLine,
  type PairOptions,
  settle,
  socketPair,
  testContext,
} from "../../support/fake_socket.ts";

/** A connection served by the plugin. */
export interface Served {
  client: FakeSocket;
  server: FakeSocket;
  clock: VirtualClock;
  lines: LogLine[];
  /** Settles when the handler has. */
  finished: Promise<void>;
  /** Closes as a stack does. */
  stop(): void;
  /** Writes text as bytes (ISO 8859-1), and runs all pending work. */
  send(text: string): Promise<void>;
  /** Data received since the last call; dates are replaced by `*`. */
  received(): string;
  /** Like `received`, without consuming the data. */
  pending(): string;
}

/** Options of {@link serve}, in addition to the plugin's. */
export interface ServeOptions extends HttpOptions {
  pair?: PairOptions;
  context?: Partial<Context>;
  /** `false` if the test itself reads from the client. */
  collect?: boolean;
}

/** Serves `app`, which may be just a fetch function, on a new connection. */
export function serve(
  app: FetchApp | FetchApp["fetch"],
  { pair, context: overrides, collect = true, ...options }: ServeOptions = {},
): Served {
  const { client, server } = socketPair(pair);
  const { context, clock, lines, stop } = testContext(server, overrides);
  const plugin = http(typeof app === "function" ? { fetch: app } : app, options);
  // As in a stack: closed when the handler returns, aborted when it throws.
  const finished = Promise.resolve(plugin.handle!(context, () => Promise.resolve()))
    .then(() => void server.close(), (error) => {
      server.abort(error);
      throw error;
    });
  finished.catch(() => {});
  let text = "";
  if (collect) void collectInto(client, (more) => text += more);
  return {
    client,
    server,
    clock,
    lines,
    finished,
    stop,
    async send(data) {
      await Promise.race([client.write(latin1(data)), settle()]);
      await settle();
    },
    pending: () => text,
    received() {
      const all = text.replace(/date: [^\r]*/g, "date: *");
      text = "";
      return all;
    },
  };
}

/**
 * Sends `request` on a new connection, half-closes once nothing more happens, and returns all data
 * received.
 */
export async function exchange(
  app: FetchApp | FetchApp["fetch"],
  request: string,
  options: ServeOptions = {},
): Promise<string> {
  const served = serve(app, options);
  // A closed server accepts no more data.
  void served.client.write(latin1(request))
    .then(() => settle())
    .then(() => served.client.closeWrite(), () => {});
  await served.finished;
  await settle();
  return served.received();
}

/** An app that reports the request and the length of its body. */
export const reflect: FetchApp = {
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const body = await request.text();
    return new Response(`${request.method} ${pathname}${search} ${body}`);
  },
};

/** The status codes of the responses in `text`. */
export function statuses(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}

/** The content after the first response head in `text`. */
export function contentOf(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

/** Text whose characters are bytes. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Bytes as text. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return text;
}

/** A seeded generator of numbers from 0 to 1 (exclusive), for reproducible failures. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function collectInto(client: FakeSocket, add: (text: string) => void): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    while (true) {
      const count = await client.read(buffer);
      if (count === null) return;
      add(textOf(buffer.subarray(0, count)));
    }
  } catch {
    add("<reset>");
  }
}
