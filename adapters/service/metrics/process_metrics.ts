/**
 * Metrics of the process and of its threads.
 *
 * @module
 */
import process from "node:process";
import { setInterval } from "node:timers";
import manifest from "../../../deno.json" with { type: "json" };
import { DurationHistogram, RTT_BOUNDS } from "../../../core/api/metrics/histogram.ts";
import { type Metric, type MetricDefinition, metricOf } from "../../../core/api/metrics/metric.ts";
import { runtimeName } from "../../runtime/runtime.ts";

const INFO: MetricDefinition = {
  name: "berth.info",
  kind: "gauge",
  unit: "1",
  description: "1, with the version and the runtime.",
};
const UPTIME: MetricDefinition = {
  name: "process.uptime",
  kind: "gauge",
  unit: "s",
  description: "Time since the process started.",
};
const CPU: MetricDefinition = {
  name: "process.cpu.time",
  kind: "counter",
  unit: "s",
  description: "Processor time of all threads.",
};
const RSS: MetricDefinition = {
  name: "process.memory.usage",
  kind: "gauge",
  unit: "By",
  description: "Resident memory of the process.",
};
const HEAP: MetricDefinition = {
  name: "berth.memory",
  kind: "gauge",
  unit: "By",
  description: "Memory of the heaps of all threads, and of buffers outside them.",
};
const DELAY: MetricDefinition = {
  name: "berth.eventloop.delay",
  kind: "histogram",
  unit: "s",
  description: "How late timers fire, because turns of the event loop take long.",
};

/** All metrics of this module. */
export const PROCESS_METRICS: readonly MetricDefinition[] = [INFO, UPTIME, CPU, RSS, HEAP, DELAY];

/** Metrics of the whole process. */
export function processMetrics(): Metric[] {
  const { user, system } = process.cpuUsage();
  return [
    metricOf(INFO, [[{ version: manifest.version, runtime: runtimeName() }, 1]]),
    metricOf(UPTIME, [[{}, process.uptime()]]),
    metricOf(CPU, [
      [{ "cpu.mode": "user" }, user / 1e6],
      [{ "cpu.mode": "system" }, system / 1e6],
    ]),
    metricOf(RSS, [[{}, process.memoryUsage.rss()]]),
  ];
}

/** Interval between two measurements of the delay, in milliseconds. */
const INTERVAL_MS = 250;

/** Metrics of the thread that creates the object. The delay is measured from the first reading on. */
export class ThreadMetrics {
  #delays: DurationHistogram | undefined;

  /** A snapshot. */
  get metrics(): Metric[] {
    this.#delays ??= measureDelays();
    const { heapUsed, external } = process.memoryUsage();
    return [
      metricOf(HEAP, [[{ kind: "heap" }, heapUsed], [{ kind: "external" }, external]]),
      metricOf(DELAY, [[{}, this.#delays.value]]),
    ];
  }
}

function measureDelays(): DurationHistogram {
  const delays = new DurationHistogram(RTT_BOUNDS);
  let due = performance.now() + INTERVAL_MS;
  setInterval(() => {
    const now = performance.now();
    delays.record((now - due) / 1000);
    due = now + INTERVAL_MS;
  }, INTERVAL_MS).unref();
  return delays;
}
