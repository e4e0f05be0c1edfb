/**
 * Observes the requests of one plugin: measures them, and writes the access log.
 *
 * @module
 */
import type { Metric } from "../../../core/api/metrics/metric.ts";
import type { Context } from "../../../core/api/types.ts";
import { type AccessLogFormat, logAccess, type ServedRequest } from "./access_log.ts";
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

  /** Whether requests are observed; if not, the time need not be read. */
  get isOn(): boolean {
    return this.#durations.isOn || this.#accessLog !== undefined;
  }

  /** A response has been sent, or given up; the status is 0 if it had not begun. */
  ended(c: Context, request: ServedRequest, milliseconds: number): void {
    const status = request.status === 0 ? CLIENT_GONE : request.status;
    if (this.#durations.isOn) this.#durations.record(status, milliseconds);
    if (this.#accessLog !== undefined) logAccess(c, this.#accessLog, { ...request, status });
  }

  /** A snapshot. */
  get metrics(): readonly Metric[] {
    return this.#durations.metrics;
  }
}
