/**
 * Observes the requests of one plugin.
 *
 * @module
 */
import type { Metric } from "../../../core/api/metrics/metric.ts";
import { RequestDurations } from "./request_durations.ts";

/** The status of a request whose client went away before the response, as in the logs of nginx. */
export const CLIENT_GONE = 499;

/** Measures requests where somebody asks for it. */
export class RequestObserver {
  readonly #durations = new RequestDurations();

  /** Whether requests are observed; if not, the time need not be read. */
  get isOn(): boolean {
    return this.#durations.isOn;
  }

  /** A response has been sent, or given up; `status` is 0 if it had not begun. */
  ended(status: number, milliseconds: number): void {
    this.#durations.record(status === 0 ? CLIENT_GONE : status, milliseconds);
  }

  /** A snapshot. */
  get metrics(): readonly Metric[] {
    return this.#durations.metrics;
  }
}
