/**
 * Options of WebSockets.
 *
 * @module
 */
import { z } from "zod";
import { bytes, milliseconds } from "../../../core/api/numbers.ts";

/** Limits and timeouts of a WebSocket. Sizes in bytes, times in milliseconds. */
export interface WebSocketOptions {
  /** Subprotocols of the application. Default: the client's first one is accepted. */
  protocols?: readonly string[] | undefined;
  /** Largest message accepted; a larger one ends the connection with 1009. Default 1,048,576. */
  maxMessageBytes?: number | undefined;
  /**
   * Maximum number of bytes waiting to be sent; beyond that the connection is aborted. While more
   * than 64 KiB wait, nothing is received, so an application that only answers messages does not
   * reach this limit because of a client that does not read. Default 16,777,216.
   */
  maxBufferedBytes?: number | undefined;
  /** Longest time without data from the client, which is pinged after half of it. Default 120,000. */
  idleTimeoutMs?: number | undefined;
  /** Longest time for the client to answer a Close and to close its side. Default 5000. */
  closeTimeoutMs?: number | undefined;
}

/** Options with all defaults. */
export interface CheckedWebSocketOptions {
  /** Subprotocols of the application; `undefined`: any. */
  readonly protocols: readonly string[] | undefined;
  /** Largest message accepted. */
  readonly maxMessageBytes: number;
  /** Maximum number of bytes waiting to be sent. */
  readonly maxBufferedBytes: number;
  /** Longest time without data from the client. */
  readonly idleTimeoutMs: number;
  /** Time limit for the closing handshake. */
  readonly closeTimeoutMs: number;
}

/** Schema of {@link WebSocketOptions}. */
export const webSocketOptionsSchema: z.ZodType<CheckedWebSocketOptions, WebSocketOptions> = z
  .strictObject({
    protocols: z.array(z.string().min(1)).readonly().optional(),
    maxMessageBytes: bytes().default(1_048_576),
    maxBufferedBytes: bytes().default(16_777_216),
    idleTimeoutMs: milliseconds().default(120_000),
    closeTimeoutMs: milliseconds().default(5000),
  }).transform((options) => ({ ...options, protocols: options.protocols }));
