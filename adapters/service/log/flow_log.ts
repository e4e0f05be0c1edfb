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

/**
 * `log` with at most ten `info` lines per second, after a burst of a hundred. The field `others` of
 * a line is the number of lines dropped before it.
 */
export function limitLines(log: Logger, now: () => number = () => performance.now()): Logger {
  const bucket = new TokenBucket(LINES_PER_SECOND, BURST, now());
  let others = 0;
  return {
    debug: (message, fields) => log.debug(message, fields),
    info(message, fields) {
      if (!bucket.take(now())) return void others++;
      log.info(message, others === 0 ? fields : { ...fields, others });
      others = 0;
    },
    warn: (message, fields) => log.warn(message, fields),
    error: (message, fields) => log.error(message, fields),
    isEnabled: (level) => log.isEnabled?.(level) ?? true,
  };
}
