/**
 * The types of Hono's WebSocket helper for the http plugin. They are compatible with Hono's own,
 * and more precise where this server guarantees more.
 *
 * @module
 */
import type { WebSocketOptions } from "./options.ts";
import type { WebSocketSession } from "./session.ts";

/** A WebSocket, as its handlers get it: Hono's `WSContext`. */
export interface WebSocketContext {
  /** Sends a message; does nothing after the end. There is no compression. */
  send(
    data: string | ArrayBuffer | Uint8Array<ArrayBuffer>,
    options?: { compress?: boolean },
  ): void;
  /**
   * Starts the closing handshake (RFC 6455 7.1.2).
   *
   * @throws {RangeError} `code` must not be sent.
   */
  close(code?: number, reason?: string): void;
  /** This server's own object, which has `bufferedAmount`. */
  raw?: WebSocketSession;
  /** 1: open, 2: closing, 3: closed. */
  readonly readyState: 0 | 1 | 2 | 3;
  /** The URL that the client requested. */
  url: URL | null;
  /** The subprotocol; empty if there is none. */
  protocol: string | null;
}

/**
 * The handlers of one WebSocket: Hono's `WSEvents`. They may be async, in which case a rejection
 * counts as an exception; their results are ignored.
 */
export interface WebSocketEvents {
  /** The handshake is done. */
  onOpen?(event: Event, ws: WebSocketContext): unknown;
  /** A message: text, or binary as `ArrayBuffer`. */
  onMessage?(
    event: MessageEvent<string | ArrayBuffer>,
    ws: WebSocketContext,
  ): unknown;
  /** The WebSocket has closed; 1006 if there was no closing handshake. */
  onClose?(event: CloseEvent, ws: WebSocketContext): unknown;
  /** The connection, the client or a handler failed; the event's `error` has the reason. */
  onError?(event: Event, ws: WebSocketContext): unknown;
}

/** The part of Hono's `Context` that an upgrade needs. */
export interface UpgradeContext {
  /** The request. */
  readonly req: { readonly raw: Request; readonly url: string };
  /** The plugin's `HttpEnv`. */
  readonly env: unknown;
}

/** `upgradeWebSocket`, in both of Hono's forms. */
export interface UpgradeWebSocket {
  /** Returns a middleware that creates the handlers for each request that asks for a WebSocket. */
  <C extends UpgradeContext>(
    createEvents: (c: C) => WebSocketEvents | Promise<WebSocketEvents>,
    options?: WebSocketOptions,
  ): (c: C, next: () => Promise<void>) => Promise<Response | void>;
  /** Answers the current request; rejects if it does not ask for a WebSocket. */
  (c: UpgradeContext, events: WebSocketEvents, options?: WebSocketOptions): Promise<Response>;
}
