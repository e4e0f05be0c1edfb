/**
 * Taking over a connection for another protocol (RFC 9110 7.8).
 *
 * @module
 */
import type { Clock, Logger, TcpSocket } from "../../../core/api/types.ts";
import type { Input } from "./input.ts";

/** The key of {@link Upgrade} in an application's env. */
export const UPGRADE: unique symbol = Symbol("berth.http.upgrade");

/** The part of a socket that the other protocol uses; over HTTP/2 it is a stream of a connection. */
export type UpgradedSocket = Pick<
  TcpSocket,
  "read" | "write" | "tryWrite" | "closeWrite" | "close" | "abort"
>;

/** A connection that has switched to another protocol. */
export interface UpgradedConnection {
  /** The connection. */
  readonly socket: UpgradedSocket;
  /** Input of the new protocol, including bytes that have been received already. */
  readonly input: Input;
  /** The stack's clock. */
  readonly clock: Clock;
  /** The connection's logger. */
  readonly log: Logger;
  /** Aborted when the stack or the socket closes. */
  readonly signal: AbortSignal;
  /**
   * Absent if the connection cannot move. `isIdle` tells whether it can move now: nothing is in progress
   * in either direction. The new stack repeats the request, and passes the connection to its takeover.
   */
  canMoveWhen?(isIdle: () => boolean): void;
}

/** Runs the new protocol; the connection is closed when it settles. */
export type Takeover = (connection: UpgradedConnection) => Promise<void>;

/**
 * Registers a takeover of the current request's connection, which happens after a response with status 101 has been
 * sent. False: this request cannot be upgraded.
 */
export type Upgrade = (takeover: Takeover) => boolean;
