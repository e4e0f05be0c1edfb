/**
 * Durations of HTTP requests, by class of status.
 *
 * @module
 */
import { DurationHistogram } from "../../../core/api/metrics/histogram.ts";
import { type Metric, type MetricDefinition, metricOf } from "../../../core/api/metrics/metric.ts";

/** The name is that of OpenTelemetry's conventions. */
export const REQUEST_DURATION: MetricDefinition = {
  name: "http.server.request.duration",
  kind: "histogram",
  unit: "s",
  description:
    "HTTP requests by class of status: from the head of the request to the last byte of " +
    "the response that is written.",
};

const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

/** The requests of one plugin. They are measured from the first reading of {@link metrics} on. */
export class RequestDurations {
  /** Whether requests are measured. */
  isOn = false;
  readonly #byClass = new Map<string, DurationHistogram>();

  /** A response with this status has been sent. */
  record(status: number, milliseconds: number): void {
    const name = CLASSES[Math.trunc(status / 100) - 1] ?? "5xx";
    let histogram = this.#byClass.get(name);
    if (histogram === undefined) {
      histogram = new DurationHistogram();
      this.#byClass.set(name, histogram);
    }
    histogram.record(milliseconds / 1000);
  }

  /** A snapshot. */
  get metrics(): readonly Metric[] {
    this.isOn = true;
    return [
      metricOf(
        REQUEST_DURATION,
        [...this.#byClass].map(([status, histogram]) => [
          { "http.response.status_class": status },
          histogram.value,
        ]),
      ),
    ];
  }
}
