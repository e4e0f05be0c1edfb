/**
 * An http plugin on one end of a socket pair, a raw client on the other.
 *
 * @module
 */
// As in the service: the fast ways of this runtime.
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

/** A connection that is being served. */
export interface Served {
  client: FakeSocket;
  server: FakeSocket;
  clock: VirtualClock;
  lines: LogLine[];
  /** Settles when the handler has. */
  finished: Promise<void>;
  /** As a stack that closes. */
  stop(): void;
  /** Writes text as bytes (ISO 8859-1), whole, and lets everything happen. */
  send(text: string): Promise<void>;
  /** What has come since the last call; dates replaced by `*`. */
  received(): string;
  /** What `received` would return, which it still does. */
  pending(): string;
}

/** What {@link serve} can be told beside the plugin's own options. */
export interface ServeOptions extends HttpOptions {
  pair?: PairOptions;
  context?: Partial<Context>;
  /** False: the test reads the client itself. */
  collect?: boolean;
}

/** Serves `app`, which may be a mere fetch function, on a fresh connection. */
export function serve(
  app: FetchApp | FetchApp["fetch"],
  { pair, context: overrides, collect = true, ...options }: ServeOptions = {},
): Served {
  const { client, server } = socketPair(pair);
  const { context, clock, lines, stop } = testContext(server, overrides);
  const plugin = http(typeof app === "function" ? { fetch: app } : app, options);
  // As a stack does: closed when the handler settles, aborted when it throws.
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
 * Sends `request` on a fresh connection, ends the client's side once nothing more happens, and returns
 * all that comes back.
 */
export async function exchange(
  app: FetchApp | FetchApp["fetch"],
  request: string,
  options: ServeOptions = {},
): Promise<string> {
  const served = serve(app, options);
  // A server that has ended takes no more.
  void served.client.write(latin1(request))
    .then(() => settle())
    .then(() => served.client.closeWrite(), () => {});
  await served.finished;
  await settle();
  return served.received();
}

/** An app that tells what it got, and how much of a body. */
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

/** What follows the head of the first response in `text`. */
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

/** A small seeded source of numbers from 0 to 1 (exclusive): what fails, fails again. */
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
