/**
 * A WebSocket server on the host whose clients are links: the http plugin behind a published port.
 *
 * @module
 */
import { Hono } from "hono";
import { linkPair } from "../../../adapters/links/memory.ts";
import type { WebSocketLinkOptions } from "../../../adapters/links/web_socket.ts";
import { webSocketLinkEvents } from "../../../adapters/links/web_socket_events.ts";
import { publish } from "../../../adapters/service/publish/publish.ts";
import { silentLogger } from "../../../core/api/environment.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Link } from "../../../core/stack/link.ts";
import { http } from "../../../plugins/http.ts";
import { upgradeWebSocket } from "../../../plugins/http/websocket.ts";

/** A running server. */
export interface WebSocketServer extends AsyncDisposable {
  /** Its URL. */
  readonly url: string;
}

/** Opens a server on a free port of 127.0.0.1. */
export async function openServer(
  attach: (link: Link) => void,
  options: WebSocketLinkOptions = {},
): Promise<WebSocketServer> {
  const [inner, outer] = linkPair({ mtu: 9000 });
  const server = createStack({ link: inner, addresses: ["10.0.0.1/24"] });
  const host = createStack({ link: outer, addresses: ["10.0.0.2/24"] });
  const handle = upgradeWebSocket(() => webSocketLinkEvents(attach, options));
  server.use(80, http(new Hono().get("/", handle)));
  const to = { hostname: "10.0.0.1", port: 80 };
  const published = await publish(
    { hostname: "127.0.0.1", port: 0, to },
    async (address, signal) => {
      const socket = host.connect(address, { signal, allowHalfOpen: true });
      await socket.opened;
      return socket;
    },
    silentLogger,
  );
  return {
    url: `ws://127.0.0.1:${published.address.port}/`,
    async [Symbol.asyncDispose]() {
      published.stopListening();
      await Promise.all([server.close(), host.close(), published.finish(0)]);
    },
  };
}
