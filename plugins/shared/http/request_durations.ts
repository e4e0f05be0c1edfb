/**
 * Durations of HTTP requests, by class of status.
 *
 * @module
 */
import type { BurstClock } from "./burst_clock.ts";
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

/**
 * The requests of one plugin. They are measured from the first reading of {@link metrics} on. Responses that are sent
 * in one burst leave together at its end, and share a reading of the clock.
 */
export class RequestDurations {
  /** Whether requests are measured. */
  isOn = false;
  readonly #byClass = new Map<string, DurationHistogram>();
  /** Status and beginning of each response of this burst, alternately. */
  #sent: number[] = [];
  #clock: BurstClock | undefined;

  /** A response has been sent; `beganAt`: when the head of its request was read, by `clock`. */
  end(clock: BurstClock, beganAt: number, status: number): void {
    if (this.#sent.length === 0 || this.#clock !== clock) {
      const sent: number[] = this.#sent = [];
      this.#clock = clock;
      clock.atEnd((now) => this.#record(sent, now));
    }
    this.#sent.push(status, beganAt);
  }

  #record(sent: number[], now: number): void {
    for (let i = 0; i < sent.length; i += 2) {
      this.#histogramOf(sent[i]!).record((now - sent[i + 1]!) / 1000);
    }
    sent.length = 0;
  }

  #histogramOf(status: number): DurationHistogram {
    const name = CLASSES[Math.trunc(status / 100) - 1] ?? "5xx";
    let histogram = this.#byClass.get(name);
    if (histogram === undefined) {
      histogram = new DurationHistogram();
      this.#byClass.set(name, histogram);
    }
    return histogram;
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
