/**
 * Options of the http plugin.
 *
 * @module
 */
import { z } from "zod";
import { bytes, count, milliseconds } from "../../core/api/numbers.ts";

/** Limits and timeouts of the http plugin. Sizes in bytes, times in milliseconds. */
export interface HttpOptions {
  /** Largest request line, without CRLF; otherwise 414. Default 8192. */
  maxRequestLineBytes?: number | undefined;
  /** Largest total of the field lines of a request; otherwise 431. Default 32,768. */
  maxHeaderBytes?: number | undefined;
  /** Most field lines of a request; otherwise 431. Default 100. */
  maxHeaders?: number | undefined;
  /** Largest body of a request; otherwise 413. Default: no limit, the application decides what it reads. */
  maxBodyBytes?: number | undefined;
  /** Largest total of the chunk extensions of a body; otherwise 400. Default 4096. */
  maxChunkExtensionBytes?: number | undefined;
  /** Largest total of the trailer fields of a body, which are ignored; otherwise 431. Default 8192. */
  maxTrailerBytes?: number | undefined;
  /**
   * How much of a body that the application has not read is discarded, so that the connection can
   * be reused; if more is left, the connection is closed. Default 262,144.
   */
  maxDrainBytes?: number | undefined;
  /** Longest time from the first byte of a request to the end of its head; otherwise 408. Default 15,000. */
  headerTimeoutMs?: number | undefined;
  /** Longest time between two segments of a body; otherwise 408. Default 30,000. */
  bodyTimeoutMs?: number | undefined;
  /** Longest time without a request; after that the connection is closed. Default 60,000. */
  keepAliveTimeoutMs?: number | undefined;
  /** Longest time for the client to receive 64 KiB of a response; after that it is aborted. Default 30,000. */
  writeTimeoutMs?: number | undefined;
  /**
   * How long to wait after the last response for the client to close its side, so that data it still sends
   * does not reset the connection before it has read the response (RFC 9112 9.6). Default 2000.
   */
  lingerTimeoutMs?: number | undefined;
}

/** Options with all defaults. */
export type CheckedHttpOptions = { readonly [Name in keyof HttpOptions]-?: number };

/** Schema of {@link HttpOptions}. */
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
