/**
 * Echoes each message of a WebSocket.
 *
 * @module
 */
import { Hono } from "hono";
import { upgradeWebSocket } from "../../../exports/plugins.ts";

/** The application. */
export default new Hono().get(
  "*",
  upgradeWebSocket(() => ({
    onMessage: (event, socket) => socket.send(event.data as ArrayBuffer),
  })),
);
