/**
 * Options of the http plugin, with their bounds.
 *
 * @module
 */
import { z } from "zod";
import { bytes, count, milliseconds } from "../../core/api/numbers.ts";

/** The bounds and timeouts of the http plugin. Sizes are bytes, times milliseconds. */
export interface HttpOptions {
  /** The request line, without its line end; above: 414. Default 8192. */
  maxRequestLineBytes?: number | undefined;
  /** All field lines of a request together; above: 431. Default 32 768. */
  maxHeaderBytes?: number | undefined;
  /** Field lines of a request; above: 431. Default 100. */
  maxHeaders?: number | undefined;
  /** A request's body; above: 413. Default: no bound, the application decides what it reads. */
  maxBodyBytes?: number | undefined;
  /** All chunk extensions of a request's body; above: 400. Default 4096. */
  maxChunkExtensionBytes?: number | undefined;
  /** All trailer fields of a request's body, which are read over; above: 431. Default 8192. */
  maxTrailerBytes?: number | undefined;
  /**
   * What is read over of a body that the application has answered without reading, so that the
   * connection can be used again; above, it is closed. Default 262 144.
   */
  maxDrainBytes?: number | undefined;
  /** From a request's first byte to the end of its head; above: 408. Default 15 000. */
  headerTimeoutMs?: number | undefined;
  /** Between two pieces of a request's body; above: 408. Default 30 000. */
  bodyTimeoutMs?: number | undefined;
  /** Without a request; above, the connection is closed. Default 60 000. */
  keepAliveTimeoutMs?: number | undefined;
  /** Until the client has taken 64 KiB of a response; above, the connection is aborted. Default 30 000. */
  writeTimeoutMs?: number | undefined;
  /**
   * After the last response, for the client to end its side, so that nothing it still sends resets
   * the connection before it has read everything (RFC 9112 9.6). Default 2000.
   */
  lingerTimeoutMs?: number | undefined;
}

/** Options with every default in place. */
export type CheckedHttpOptions = { readonly [Name in keyof HttpOptions]-?: number };

/** What options are checked with. */
export const httpOptionsSchema: z.ZodType<CheckedHttpOptions, HttpOptions> = z.strictObject({
  maxRequestLineBytes: bytes().default(8192),
  maxHeaderBytes: bytes().default(32_768),
  maxHeaders: count(1, 100_000).default(100),
  maxBodyBytes: bytes(0, Number.MAX_SAFE_INTEGER).default(Number.MAX_SAFE_INTEGER),
  maxChunkExtensionBytes: bytes().default(4096),
  maxTrailerBytes: bytes().default(8192),
  maxDrainBytes: bytes(0).default(262_144),
  headerTimeoutMs: milliseconds().default(15_000),
  bodyTimeoutMs: milliseconds().default(30_000),
  keepAliveTimeoutMs: milliseconds().default(60_000),
  writeTimeoutMs: milliseconds().default(30_000),
  lingerTimeoutMs: milliseconds().default(2000),
});
