/**
 * The types of Hono's WebSocket helper as the http plugin offers it. They are Hono's own in shape;
 * what is more precise here is what this server is more precise about.
 *
 * @module
 */
import type { WebSocketOptions } from "./options.ts";
import type { WebSocketSession } from "./session.ts";

/** One WebSocket, as its handlers get it: Hono's `WSContext`. */
export interface WebSocketContext {
  /** Sends a message; after the end it does nothing. There is no compression. */
  send(
    data: string | ArrayBuffer | Uint8Array<ArrayBuffer>,
    options?: { compress?: boolean },
  ): void;
  /**
   * Begins the end (RFC 6455 7.1.2).
   *
   * @throws {RangeError} `code` is none that may be sent.
   */
  close(code?: number, reason?: string): void;
  /** This server's own object; it knows how much waits to be sent. */
  raw?: WebSocketSession;
  /** 1: open, 2: closing, 3: closed. */
  readonly readyState: 0 | 1 | 2 | 3;
  /** What the client asked for. */
  url: URL | null;
  /** The subprotocol; empty when there is none. */
  protocol: string | null;
}

/** The handlers of one WebSocket: Hono's `WSEvents`. They may be async, a rejection counts as
 * a throw; what they return does not matter. */
export interface WebSocketEvents {
  /** The handshake is done. */
  onOpen?(event: Event, ws: WebSocketContext): unknown;
  /** A message: text, or binary as `ArrayBuffer`. */
  onMessage?(
    event: MessageEvent<string | ArrayBuffer>,
    ws: WebSocketContext,
  ): unknown;
  /** The end; 1006 when there was no closing handshake. */
  onClose?(event: CloseEvent, ws: WebSocketContext): unknown;
  /** The connection, the client or a handler failed; `error` of the event tells how. */
  onError?(event: Event, ws: WebSocketContext): unknown;
}

/** What of Hono's `Context` an upgrade needs. */
export interface UpgradeContext {
  /** The request. */
  readonly req: { readonly raw: Request; readonly url: string };
  /** The plugin's `HttpEnv`. */
  readonly env: unknown;
}

/** `upgradeWebSocket`, in both of Hono's forms. */
export interface UpgradeWebSocket {
  /** Makes a middleware: the handlers are made for each request that asks for a WebSocket. */
  <C extends UpgradeContext>(
    createEvents: (c: C) => WebSocketEvents | Promise<WebSocketEvents>,
    options?: WebSocketOptions,
  ): (c: C, next: () => Promise<void>) => Promise<Response | void>;
  /** Answers the request in hand; rejects when it does not ask for a WebSocket. */
  (c: UpgradeContext, events: WebSocketEvents, options?: WebSocketOptions): Promise<Response>;
}
