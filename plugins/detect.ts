/**
 * Several protocols on one port.
 *
 * @module
 */
import { z } from "zod";
import { milliseconds } from "../core/api/numbers.ts";
import { checkOptions } from "../core/api/options.ts";
import { compose, markFactory } from "../core/api/plugin.ts";
import { logRefusal } from "../core/api/runtime/port_host.ts";
import { runInOrder } from "../core/api/runtime/run_chain.ts";
import { deriveSocket, unread } from "../core/api/tcp/derived_socket.ts";
import { readChunk } from "../core/api/tcp/read_chunk.ts";
import type { Context, Handler, Plugin, TcpSocket } from "../core/api/types.ts";
import { concatenate } from "../core/wire/bytes.ts";
import { type DetectedProtocol, MAX_PEEK, protocolOf } from "./detect/protocols.ts";
import { withTimeout } from "./shared/with_timeout.ts";

export type { DetectedProtocol } from "./detect/protocols.ts";

/** One plugin or handler, or a chain of them. */
export type DetectHandlers = Handler | Plugin | readonly (Handler | Plugin)[];

/**
 * The plugins for each protocol. `other` serves a protocol without plugins; if there is no `other`, the rest of the
 * chain does. HTTP/2 without plugins is served by `http`, if there is one.
 */
export interface DetectRoutes extends Partial<Record<DetectedProtocol, DetectHandlers>> {
  /** For all other protocols, and for clients that wait for the server to send first. */
  other?: DetectHandlers;
}

/** Options of `detect`. */
export interface DetectOptions {
  /**
   * How long to wait for enough bytes to recognize the protocol, in milliseconds; after that,
   * `other` serves the client. Clients of protocols in which the server sends first wait this long.
   * Default 1,000.
   */
  timeoutMs?: number | undefined;
}

const optionsSchema = z.strictObject({ timeoutMs: milliseconds().default(1000) });

/**
 * Serves several protocols on one port: TLS, HTTP/1, HTTP/2 and SSH. The client's first bytes decide.
 *
 * `detect` examines at most 40 bytes, which the chosen plugin reads again. A request with a registered
 * method counts as HTTP/1, as does one with any other method in capitals and a path. Clients of
 * protocols in which the server sends first, such as SMTP, send nothing: `other` serves them after
 * `timeoutMs`. Most SSH clients send at once; one that waits is also served by `other`. A plugin
 * that decides before the SYN is answered, such as `forward`, decides here when the protocol is
 * known, and a connection that it refuses is reset.
 *
 * @throws {TypeError} An option is not valid, or there is no plugin.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { detect, echo, http } from "@berth/berth/plugins";
 * import { Hono } from "hono";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * const app = new Hono().get("/", (c) => c.text("from the app"));
 * server.use(443, detect({ http: http(app), other: echo() }));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * for (const sent of ["GET / HTTP/1.0\r\nHost: berth\r\n\r\n", "ahoy"]) {
 *   const socket = client.connect("10.0.0.1:443", { allowHalfOpen: true });
 *   await socket.write(new TextEncoder().encode(sent));
 *   await socket.closeWrite();
 *   const answer = await new Response(socket.readable).text();
 *   const expected = sent === "ahoy" ? "ahoy" : "from the app";
 *   if (!answer.endsWith(expected)) throw new Error(answer);
 * }
 * ```
 */
export function detect(routes: DetectRoutes, options: DetectOptions = {}): Plugin {
  const { timeoutMs } = checkOptions("detect", optionsSchema, options);
  const handlers = new Map(
    Object.entries(routes).map(([protocol, route]) => [protocol, handlerOf(route)]),
  );
  if (handlers.size === 0) {
    throw new TypeError("detect: routes: expected a plugin for tls, http, http2, ssh or other");
  }
  const routeOf = (protocol: DetectedProtocol | undefined): Handler | undefined =>
    handlers.get(protocol ?? "other") ??
      (protocol === "http2" ? handlers.get("http") : undefined) ?? handlers.get("other");
  const plugins = new Set(
    Object.values(routes).flat().filter((each) => typeof each !== "function"),
  );
  return {
    name: "detect",
    async handle(c, next) {
      const { protocol, socket } = await detectProtocol(c, timeoutMs);
      c.log.debug("detect: protocol detected", { protocol: protocol ?? "unknown" });
      const route = routeOf(protocol);
      if (!route) return await next(socket);
      await runInOrder([(_c, rest) => rest(socket), route])(c, next);
    },
    metrics: () => [...plugins].flatMap((plugin) => plugin.metrics?.() ?? []),
    async dispose() {
      const disposals = await Promise.allSettled([...plugins].map((plugin) => disposeOf(plugin)));
      const failed = disposals.find(({ status }) => status === "rejected");
      if (failed) throw (failed as PromiseRejectedResult).reason;
    },
  };
}

markFactory(detect, "detect", optionsSchema);

function handlerOf(route: DetectHandlers): Handler {
  const { handle, onSyn } = compose(Array.isArray(route) ? route : [route as Handler | Plugin]);
  if (!onSyn) return handle;
  return async (c, next) => {
    const { localAddr: local, remoteAddr: remote } = c.socket;
    let decided: Handler | "refuse" | "ignore" = "refuse";
    try {
      decided = await onSyn({ local, remote, signal: c.signal }, c);
    } catch (error) {
      logRefusal(c.log, { remote, signal: c.signal }, error);
    }
    if (typeof decided === "function") await decided(c, next);
    else c.socket.abort();
  };
}

async function disposeOf(plugin: Plugin): Promise<void> {
  await plugin.dispose?.();
}

/** The protocol, and a socket that starts with the connection's first byte. */
interface Detection {
  readonly protocol: DetectedProtocol | undefined;
  readonly socket: TcpSocket;
}

async function detectProtocol({ socket, clock }: Context, timeoutMs: number): Promise<Detection> {
  const late = Promise.withResolvers<"late">();
  return await withTimeout(clock, timeoutMs, () => late.resolve("late"), async () => {
    let bytes = new Uint8Array(0);
    for (;;) {
      const pending = readChunk(socket, MAX_PEEK - bytes.length);
      const chunk = await Promise.race([pending, late.promise]);
      if (chunk === "late") {
        return { protocol: undefined, socket: unread(afterPending(socket, pending), bytes) };
      }
      if (chunk === undefined) return { protocol: undefined, socket: unread(socket, bytes) };
      bytes = concatenate([bytes, chunk]);
      const protocol = protocolOf(bytes);
      if (protocol !== "more") return { protocol, socket: unread(socket, bytes) };
    }
  });
}

/** A socket that starts with the result of a read that is still pending. */
function afterPending(
  socket: TcpSocket,
  pending: Promise<Uint8Array<ArrayBuffer> | undefined>,
): TcpSocket {
  pending.catch(() => {}); // reported to the reader, if there is one
  let first: typeof pending | undefined = pending;
  return deriveSocket(socket, {
    readChunk: () => {
      const next = first ?? readChunk(socket);
      first = undefined;
      return next;
    },
  });
}
