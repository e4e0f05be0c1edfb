/**
 * Options of the http2 plugin, with their bounds.
 *
 * @module
 */
import { z } from "zod";
import { bytes, count } from "../../core/api/numbers.ts";
import { type AccessLogFormat, accessLogSchema } from "../shared/http/access_log.ts";
import { timeoutOptions } from "../shared/http/timeout_options.ts";

/**
 * Limits and timeouts of the http2 plugin. Options with the same name in `http` have the same meaning. Sizes are in
 * bytes, times in milliseconds.
 */
export interface Http2Options {
  /** Maximum number of concurrent requests per connection; more are refused. Default 100. */
  maxConcurrentStreams?: number | undefined;
  /**
   * Maximum length of a request's method and path together; a longer one is answered with 414.
   * Default 8192.
   */
  maxRequestLineBytes?: number | undefined;
  /**
   * Maximum size of a request's header fields together, plus 32 bytes for each (RFC 9113 6.5.2);
   * more is answered with 431. Default 32,768.
   */
  maxHeaderBytes?: number | undefined;
  /** Maximum number of header fields in a request; more are answered with 431. Default 100. */
  maxHeaders?: number | undefined;
  /**
   * Maximum size of a request's body; a larger one is answered with 413. Default: no limit, the
   * application decides what it reads.
   */
  maxBodyBytes?: number | undefined;
  /**
   * Maximum size of a request's trailer fields together, which are ignored; beyond that the stream
   * is reset. Default 8192.
   */
  maxTrailerBytes?: number | undefined;
  /**
   * Longest time until a header block is complete, and for the preface and SETTINGS. Default
   * 15,000.
   */
  headerTimeoutMs?: number | undefined;
  /**
   * Longest time between two pieces of a request's body; after that the answer is 408. Default
   * 30,000.
   */
  bodyTimeoutMs?: number | undefined;
  /** Longest time without a request; after that the connection is closed. Default 60,000. */
  keepAliveTimeoutMs?: number | undefined;
  /**
   * Longest time for the client to accept 64 KiB of a response; after that the stream is reset
   * (flow control) or the connection aborted (TCP). Default 30,000.
   */
  writeTimeoutMs?: number | undefined;
  /** Longest time for the client to close its side at the end of a connection. Default 2000. */
  lingerTimeoutMs?: number | undefined;
  /**
   * Logs a line for each request, at level `info` with the message `access` and the field `line`, in the
   * common or the combined format of log analysers. The service can write these lines to a file of their
   * own. Default: none.
   */
  accessLog?: AccessLogFormat | undefined;
}

/** Options with all defaults. */
export type CheckedHttp2Options =
  & { readonly [Name in Exclude<keyof Http2Options, "accessLog">]-?: number }
  & { readonly accessLog?: AccessLogFormat | undefined };

/** Schema of {@link Http2Options}. */
export const http2OptionsSchema: z.ZodType<CheckedHttp2Options, Http2Options> = z.strictObject({
  maxConcurrentStreams: count(1, 10_000).default(100),
  maxRequestLineBytes: bytes().default(8192),
  maxHeaderBytes: bytes(1024, 1_048_576).default(32_768),
  maxHeaders: count(1, 100_000).default(100),
  maxBodyBytes: bytes(0, Number.MAX_SAFE_INTEGER).default(Number.MAX_SAFE_INTEGER),
  maxTrailerBytes: bytes().default(8192),
  ...timeoutOptions,
  accessLog: accessLogSchema,
});
