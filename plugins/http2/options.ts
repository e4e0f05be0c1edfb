/**
 * Options of the http2 plugin, with their bounds.
 *
 * @module
 */
import { z } from "zod";
import { bytes, count, milliseconds } from "../../core/api/numbers.ts";

/**
 * Limits and timeouts of the http2 plugin; those that `http` also has mean the same. Sizes are in bytes,
 * times in milliseconds.
 */
export interface Http2Options {
  /** Concurrent requests of one connection; more are refused. Default 100. */
  maxConcurrentStreams?: number | undefined;
  /** Method and path of a request together; above: 414. Default 8192. */
  maxRequestLineBytes?: number | undefined;
  /** Header fields of a request, plus 32 for each (RFC 9113 6.5.2); above: 431. Default 32 768. */
  maxHeaderBytes?: number | undefined;
  /** Fields of a request; above: 431. Default 100. */
  maxHeaders?: number | undefined;
  /** A request's body; above: 413. Default: no bound, the application decides what it reads. */
  maxBodyBytes?: number | undefined;
  /** Trailer fields of a request, which are ignored; above, the stream is reset. Default 8192. */
  maxTrailerBytes?: number | undefined;
  /** For a complete header block, and for the preface and SETTINGS. Default 15 000. */
  headerTimeoutMs?: number | undefined;
  /** Between two pieces of a request's body; above: 408. Default 30 000. */
  bodyTimeoutMs?: number | undefined;
  /** Without a request; above, the connection is closed. Default 60 000. */
  keepAliveTimeoutMs?: number | undefined;
  /**
   * For the client to accept 64 KiB of a response; above, the stream is reset (flow control) or the
   * connection aborted (TCP). Default 30 000.
   */
  writeTimeoutMs?: number | undefined;
  /** For the client to close its side at the end of a connection. Default 2000. */
  lingerTimeoutMs?: number | undefined;
}

/** Options with every default in place. */
export type CheckedHttp2Options = { readonly [Name in keyof Http2Options]-?: number };

/** What options are checked with. */
export const http2OptionsSchema: z.ZodType<CheckedHttp2Options, Http2Options> = z.strictObject({
  maxConcurrentStreams: count(1, 10_000).default(100),
  maxRequestLineBytes: bytes().default(8192),
  maxHeaderBytes: bytes(1024, 1_048_576).default(32_768),
  maxHeaders: count(1, 100_000).default(100),
  maxBodyBytes: bytes(0, Number.MAX_SAFE_INTEGER).default(Number.MAX_SAFE_INTEGER),
  maxTrailerBytes: bytes().default(8192),
  headerTimeoutMs: milliseconds().default(15_000),
  bodyTimeoutMs: milliseconds().default(30_000),
  keepAliveTimeoutMs: milliseconds().default(60_000),
  writeTimeoutMs: milliseconds().default(30_000),
  lingerTimeoutMs: milliseconds().default(2000),
});
