import type { Link } from "../../core/stack/link.ts";
import type { WebSocketContext, WebSocketEvents } from "../../plugins/http/websocket.ts";
import { type PacketSocket, WebSocketLink, type WebSocketLinkOptions } from "./web_socket.ts";

/**
 * Event handlers for `upgradeWebSocket` that create a link for each client.
 *
 * `attach` is called with the link after the handshake, for example to create a stack on it; the
 * link ends with the WebSocket. Any web page can open a WebSocket to a server that its visitor can
 * reach: check the request's `Origin` first if that matters.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { webSocketLinkEvents } from "@berth/berth/links";
 * import { echo, http, upgradeWebSocket } from "@berth/berth/plugins";
 * import { Hono } from "hono";
 *
 * const attach = upgradeWebSocket(() =>
 *   webSocketLinkEvents((link) => {
 *     createStack({ link, addresses: ["10.9.0.1/24"] }).use(7, echo());
 *   })
 * );
 * http(new Hono().get("/attach", attach)); // for stack.use(80, ...)
 * ```
 */
export function webSocketLinkEvents(
  attach: (link: Link) => void | Promise<void>,
  options: WebSocketLinkOptions = {},
): WebSocketEvents {
  const link = new WebSocketLink(options);
  return {
    onOpen(_event, ws) {
      link.attach(packetSocket(ws));
      return attach(link);
    },
    onMessage: ({ data }) => link.take(data),
    onClose: () => link.end(),
    onError: () => link.end(),
  };
}

/** Adapts a server's WebSocket for a link. */
export function packetSocket(ws: WebSocketContext): PacketSocket {
  return {
    get readyState() {
      return ws.readyState;
    },
    get bufferedAmount() {
      return ws.raw?.bufferedAmount ?? 0;
    },
    send: (data) => ws.send(data),
    close: (code, reason) => ws.close(code, reason),
  };
}
