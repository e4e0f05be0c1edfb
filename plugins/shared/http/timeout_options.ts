/**
 * The timeouts that http and http2 have in common.
 *
 * @module
 */
import { milliseconds } from "../../../core/api/numbers.ts";

/** Schemas and defaults; each plugin documents what happens when the time has passed. */
export const timeoutOptions = {
  headerTimeoutMs: milliseconds().default(15_000),
  bodyTimeoutMs: milliseconds().default(30_000),
  keepAliveTimeoutMs: milliseconds().default(60_000),
  writeTimeoutMs: milliseconds().default(30_000),
  lingerTimeoutMs: milliseconds().default(2000),
};
