/**
 * How a handler takes a connection over for another protocol (RFC 9110 7.8).
 *
 * @module
 */
import type { Clock, Logger, TcpSocket } from "../../../core/api/types.ts";
import type { Input } from "./input.ts";

/** The key of {@link Upgrade} in an application's env. */
export const UPGRADE: unique symbol = Symbol("berth.http.upgrade");

/** What of a socket another protocol needs: over HTTP/2 it is a stream of a connection. */
export type UpgradedSocket = Pick<
  TcpSocket,
  "read" | "write" | "tryWrite" | "closeWrite" | "close" | "abort"
>;

/** A connection that speaks another protocol from here on. */
export interface UpgradedConnection {
  /** The connection. */
  readonly socket: UpgradedSocket;
  /** What has been received of the new protocol already, and everything that follows. */
  readonly input: Input;
  /** The stack's clock. */
  readonly clock: Clock;
  /** The connection's logger. */
  readonly log: Logger;
  /** Aborted when the stack closes or the socket dies. */
  readonly signal: AbortSignal;
}

/** Speaks the new protocol; the connection is closed when it settles. */
export type Takeover = (connection: UpgradedConnection) => Promise<void>;

/**
 * Asks for the connection of the request in hand. It is handed over when the application's response
 * has the status 101 and that response has been sent. False: this request cannot be upgraded.
 */
export type Upgrade = (takeover: Takeover) => boolean;
