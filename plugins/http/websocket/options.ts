/**
 * Options of a WebSocket, with their bounds.
 *
 * @module
 */
import { z } from "zod";
import { bytes, milliseconds } from "../../../core/api/numbers.ts";

/** The bounds and timeouts of a WebSocket. Sizes are bytes, times milliseconds. */
export interface WebSocketOptions {
  /** Subprotocols that the application speaks. Default: the client's first one is taken. */
  protocols?: readonly string[] | undefined;
  /** A received message; above: the connection ends with 1009. Default 1 048 576. */
  maxMessageBytes?: number | undefined;
  /**
   * What has been sent and waits for the client to take it; above: the connection is aborted.
   * Nothing is received while more than 64 KiB wait, so that a client that does not read cannot
   * make an application that only answers reach this. Default 16 777 216.
   */
  maxBufferedBytes?: number | undefined;
  /** Without a byte from the client, which is pinged after half of it. Default 120 000. */
  idleTimeoutMs?: number | undefined;
  /** For the client to answer a Close and to end its side. Default 5000. */
  closeTimeoutMs?: number | undefined;
}

/** Options with every default in place. */
export interface CheckedWebSocketOptions {
  /** Subprotocols that the application speaks; `undefined`: any. */
  readonly protocols: readonly string[] | undefined;
  /** Bound of a received message. */
  readonly maxMessageBytes: number;
  /** Bound of what waits to be sent. */
  readonly maxBufferedBytes: number;
  /** Bound of the peer's silence. */
  readonly idleTimeoutMs: number;
  /** Bound of the closing handshake. */
  readonly closeTimeoutMs: number;
}

/** What options are checked with. */
export const webSocketOptionsSchema: z.ZodType<CheckedWebSocketOptions, WebSocketOptions> = z
  .strictObject({
    protocols: z.array(z.string().min(1)).readonly().optional(),
    maxMessageBytes: bytes().default(1_048_576),
    maxBufferedBytes: bytes().default(16_777_216),
    idleTimeoutMs: milliseconds().default(120_000),
    closeTimeoutMs: milliseconds().default(5000),
  }).transform((options) => ({ ...options, protocols: options.protocols }));
