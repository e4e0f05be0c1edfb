/**
 * Options of the http plugin.
 *
 * @module
 */
import { z } from "zod";
import { bytes, count } from "../../core/api/numbers.ts";
import { type AccessLogFormat, accessLogSchema } from "../shared/http/access_log.ts";
import { timeoutOptions } from "../shared/http/timeout_options.ts";

/** Limits and timeouts of the http plugin. Sizes in bytes, times in milliseconds. */
export interface HttpOptions {
  /**
   * Maximum length of the request line without CRLF; a longer one is answered with 414. Default
   * 8192.
   */
  maxRequestLineBytes?: number | undefined;
  /**
   * Maximum size of a request's field lines together; more is answered with 431. Default 32,768.
   */
  maxHeaderBytes?: number | undefined;
  /** Maximum number of field lines in a request; more are answered with 431. Default 100. */
  maxHeaders?: number | undefined;
  /**
   * Maximum size of a request's body; a larger one is answered with 413. Default: no limit, the
   * application decides what it reads.
   */
  maxBodyBytes?: number | undefined;
  /**
   * Maximum size of a body's chunk extensions together; more is answered with 400. Default 4096.
   */
  maxChunkExtensionBytes?: number | undefined;
  /**
   * Maximum size of a body's trailer fields together, which are ignored; more is answered with 431.
   * Default 8192.
   */
  maxTrailerBytes?: number | undefined;
  /**
   * How much of a body that the application has not read is discarded, so that the connection can
   * be reused; if more is left, the connection is closed. Default 262,144.
   */
  maxDrainBytes?: number | undefined;
  /**
   * Longest time from the first byte of a request to the end of its head; after that the answer is
   * 408. Default 15,000.
   */
  headerTimeoutMs?: number | undefined;
  /** Longest time between two segments of a body; after that the answer is 408. Default 30,000. */
  bodyTimeoutMs?: number | undefined;
  /** Longest time without a request; after that the connection is closed. Default 60,000. */
  keepAliveTimeoutMs?: number | undefined;
  /**
   * Longest time for the client to receive 64 KiB of a response; after that the connection is
   * aborted. Default 30,000.
   */
  writeTimeoutMs?: number | undefined;
  /**
   * How long to wait after the last response for the client to close its side, so that data it still sends
   * does not reset the connection before it has read the response (RFC 9112 9.6). Default 2000.
   */
  lingerTimeoutMs?: number | undefined;
  /**
   * Logs a line for each request, at level `info` with the message `access` and the field `line`, in the
   * common or the combined format of log analysers. The service can write these lines to a file of their
   * own. Default: none.
   */
  accessLog?: AccessLogFormat | undefined;
}

/** Options with all defaults. */
export type CheckedHttpOptions =
  & { readonly [Name in Exclude<keyof HttpOptions, "accessLog">]-?: number }
  & { readonly accessLog?: AccessLogFormat | undefined };

/** Schema of {@link HttpOptions}. */
export const httpOptionsSchema: z.ZodType<CheckedHttpOptions, HttpOptions> = z.strictObject({
  maxRequestLineBytes: bytes().default(8192),
  maxHeaderBytes: bytes().default(32_768),
  maxHeaders: count(1, 100_000).default(100),
  maxBodyBytes: bytes(0, Number.MAX_SAFE_INTEGER).default(Number.MAX_SAFE_INTEGER),
  maxChunkExtensionBytes: bytes().default(4096),
  maxTrailerBytes: bytes().default(8192),
  maxDrainBytes: bytes(0).default(262_144),
  ...timeoutOptions,
  accessLog: accessLogSchema,
});
