/**
 * Observes the requests of one plugin: measures them, and writes the access log.
 *
 * @module
 */
import type { Metric } from "../../../core/api/metrics/metric.ts";
import type { Context } from "../../../core/api/types.ts";
import { type AccessLogFormat, logAccess, type ServedRequest } from "./access_log.ts";
import type { BurstClock } from "./burst_clock.ts";
import { RequestDurations } from "./request_durations.ts";

/** The status of a request whose client went away before the response, as in the logs of nginx. */
export const CLIENT_GONE = 499;

/** Observes requests while the metrics or an access log need it. */
export class RequestObserver {
  readonly #durations = new RequestDurations();
  readonly #accessLog: AccessLogFormat | undefined;

  constructor(accessLog: AccessLogFormat | undefined) {
    this.#accessLog = accessLog;
  }

  /** Whether requests are observed; if not, their times need not be kept. */
  get isOn(): boolean {
    return this.#durations.isOn || this.isLogging;
  }

  /** Whether {@link log} writes lines. */
  get isLogging(): boolean {
    return this.#accessLog !== undefined;
  }

  /** A response has been sent, or given up; the status is 0 if it had not begun. */
  ended(clock: BurstClock, beganAt: number, status: number): void {
    if (this.#durations.isOn) this.#durations.end(clock, beganAt, statusOf(status));
  }

  /** Writes the line of a request that has {@link ended}. */
  log(c: Context, request: ServedRequest): void {
    if (this.#accessLog === undefined) return;
    logAccess(c, this.#accessLog, { ...request, status: statusOf(request.status) });
  }

  /** A snapshot. */
  get metrics(): readonly Metric[] {
    return this.#durations.metrics;
  }
}

function statusOf(status: number): number {
  return status === 0 ? CLIENT_GONE : status;
}
