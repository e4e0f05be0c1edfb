/**
 * WebSockets for Hono apps behind the http plugin (RFC 6455).
 *
 * @module
 */
import { createWSMessageEvent, defineWebSocketHelper, WSContext, type WSEvents } from "hono/ws";
import { checkOptions } from "../../core/api/options.ts";
import type { UpgradableEnv } from "../shared/http/env.ts";
import { UPGRADE, type Upgrade, type UpgradedConnection } from "../shared/http/upgrade.ts";
import {
  asksForWebSocket,
  chooseProtocol,
  handshakeFault,
  handshakeResponse,
} from "./websocket/handshake.ts";
import { type CheckedWebSocketOptions, webSocketOptionsSchema } from "./websocket/options.ts";
import { type SessionEvents, WebSocketSession } from "./websocket/session.ts";
import type { UpgradeWebSocket } from "./websocket/types.ts";

export type { WebSocketOptions } from "./websocket/options.ts";
export type { WebSocketSession } from "./websocket/session.ts";
export type {
  UpgradeContext,
  UpgradeWebSocket,
  WebSocketContext,
  WebSocketEvents,
} from "./websocket/types.ts";

/**
 * Hono's `upgradeWebSocket` for apps behind `http` and `http2`, on either runtime. Those of `hono/deno`
 * and `hono/bun` need the runtime's own server, and are answered with 500 here. A request that does not
 * ask for a WebSocket goes to the next handler. Binary messages arrive as `ArrayBuffer`. A handler that
 * throws is logged, and its connection ends with 1011.
 *
 * @throws {TypeError} An option is not valid; or, when a request arrives, the app is not behind the http
 * plugin.
 *
 * @example
 * ```ts
 * import { http, upgradeWebSocket } from "@berth/berth/plugins";
 * import { Hono } from "hono";
 *
 * const app = new Hono().get(
 *   "/echo",
 *   upgradeWebSocket(() => ({
 *     onMessage: (event, ws) => ws.send(event.data),
 *   })),
 * );
 * http(app).name; // "http": for stack.use(80, http(app))
 * ```
 */
export const upgradeWebSocket: UpgradeWebSocket =
  // In both forms the options come last.
  ((first: never, second: never, third?: never) => {
    const makesMiddleware = typeof first === "function";
    const options = checked(makesMiddleware ? second : third);
    return makesMiddleware ? helper(first, options) : helper(first, second, options);
  }) as UpgradeWebSocket;

const helper = defineWebSocketHelper<WebSocketSession, CheckedWebSocketOptions>(
  async (c, events, options = checked({})) => {
    const { method, headers } = c.req.raw;
    if (!asksForWebSocket(headers)) return;
    const fault = handshakeFault(method, headers);
    if (fault) return fault;
    const protocol = chooseProtocol(headers, options.protocols);
    const response = await handshakeResponse(headers, protocol);
    const { url } = c.req;
    const takeover = (connection: UpgradedConnection) =>
      speak(connection, options, events, { url, protocol });
    if (upgradeOf(c.env)(takeover)) return response;
    return new Response("This request cannot be upgraded\n", { status: 400 });
  },
);

function upgradeOf(env: Partial<UpgradableEnv> | undefined): Upgrade {
  const upgrade = env?.[UPGRADE];
  if (upgrade) return upgrade;
  throw new TypeError(
    "upgradeWebSocket() needs the env that the http plugin passes to the app's fetch()",
  );
}

function speak(
  connection: UpgradedConnection,
  options: CheckedWebSocketOptions,
  events: WSEvents<WebSocketSession>,
  { url, protocol }: { url: string; protocol: string | undefined },
): Promise<void> {
  const session: WebSocketSession = new WebSocketSession(connection, options, sessionEvents());
  const ws = new WSContext<WebSocketSession>({
    raw: session,
    url,
    protocol: protocol ?? "",
    get readyState() {
      return session.readyState;
    },
    send: (data) => session.send(data),
    close: (code, reason) => session.close(code, reason),
  });
  connection.canMoveWhen?.(() => session.isIdle);
  return session.run();

  function sessionEvents(): SessionEvents {
    const { onOpen, onMessage, onClose, onError } = events;
    return {
      open: () => onOpen?.(new Event("open"), ws),
      message: (data) => onMessage?.(createWSMessageEvent(data), ws),
      close: (code, reason, wasClean) =>
        onClose?.(new CloseEvent("close", { code, reason, wasClean }), ws),
      error: onError && ((error) => onError(errorEvent(error), ws)),
    };
  }
}

function errorEvent(error: unknown): Event {
  return Object.assign(new Event("error"), { error });
}

function checked(options: unknown): CheckedWebSocketOptions {
  return checkOptions("upgradeWebSocket", webSocketOptionsSchema, options);
}
