/**
 * A rate limit for log lines that anyone can cause without a handshake.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { TokenBucket } from "../../../core/stack/token_bucket.ts";

const LINES_PER_SECOND = 10;
/** Maximum burst of lines. */
const BURST = 100;

/** Options of {@link limitLines}. */
export interface LineLimits {
  /** Lines per second. Default 10. */
  readonly perSecond?: number;
  /** Maximum burst of lines. Default 100. */
  readonly burst?: number;
  readonly now?: () => number;
}

/**
 * `log` with a limited number of `info` and `warn` lines per second, after a burst. The field `others` of a line is
 * the number of lines dropped before it.
 */
export function limitLines(
  log: Logger,
  { perSecond = LINES_PER_SECOND, burst = BURST, now = () => performance.now() }: LineLimits = {},
): Logger {
  const bucket = new TokenBucket(perSecond, burst, now());
  let others = 0;
  const limited = (level: "info" | "warn"): Logger["info"] => (message, fields) => {
    if (!bucket.take(now())) return void others++;
    log[level](message, others === 0 ? fields : { ...fields, others });
    others = 0;
  };
  return {
    debug: (message, fields) => log.debug(message, fields),
    info: limited("info"),
    warn: limited("warn"),
    error: (message, fields) => log.error(message, fields),
    isEnabled: (level) => log.isEnabled?.(level) ?? true,
  };
}
