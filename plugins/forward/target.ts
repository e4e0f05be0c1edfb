/**
 * A target that connections are forwarded to.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";
import { messageOf } from "../../core/api/error_text.ts";
import { isOwnLimit } from "../../core/api/errors.ts";
import { DurationHistogram, RTT_BOUNDS } from "../../core/api/metrics/histogram.ts";
import { type Metric, type MetricDefinition, metricOf } from "../../core/api/metrics/metric.ts";
import { formatDialTarget } from "../shared/dial.ts";
import type { DialTarget } from "../shared/host_network.ts";
import type { Duplex } from "../shared/relay.ts";
import { SharedLimit } from "../shared/shared_limit.ts";

const LOG_MS = 60_000;

const UP: MetricDefinition = {
  name: "berth.upstream.up",
  kind: "gauge",
  unit: "1",
  description: "1 if an upstream of forward is up, 0 if any worker considers it down.",
  combine: "min",
};
const RTT: MetricDefinition = {
  name: "berth.upstream.rtt",
  kind: "histogram",
  unit: "s",
  description:
    "Smoothed round-trip times of connections to an upstream of forward at their end; only where the " +
    "kernel's sockets are used through foreign functions.",
};
const OPEN: MetricDefinition = {
  name: "berth.upstream.open",
  kind: "gauge",
  unit: "{connection}",
  description: "Connections and flows to an upstream of forward, attempts included.",
};
const FAILURES: MetricDefinition = {
  name: "berth.upstream.failures",
  kind: "counter",
  unit: "{connection}",
  description: "Connections to an upstream of forward that failed, health checks included.",
};
const CONNECT_DURATION: MetricDefinition = {
  name: "berth.upstream.connect.duration",
  kind: "histogram",
  unit: "s",
  description: "Handshakes with an upstream of forward, with the resolution of its name.",
};

/** All metrics of a {@link Target}. */
export const UPSTREAM_METRICS: readonly MetricDefinition[] = [
  ...[UP, OPEN, FAILURES, CONNECT_DURATION, RTT],
];

/** When a target is considered down, and up again. */
export interface HealthRules {
  /** Consecutive failures after which it is down. */
  readonly unhealthyAfter: number;
  /** Consecutive successes after which it is up again. */
  readonly healthyAfter: number;
  /** Milliseconds after which a target that is down may be tried; `undefined`: health checks decide. */
  readonly retryAfterMs: number | undefined;
}

/** A target, with its number of connections and its health. */
export class Target {
  /** Its address. */
  readonly address: DialTarget;
  /** {@link address} as text. */
  readonly name: string;
  /** Connections to it, attempts included, and flows. */
  readonly limit: SharedLimit;
  readonly #rules: HealthRules;
  #up = true;
  #failures = 0;
  #successes = 0;
  #retryAt = Infinity;
  #limitLoggedAt = -Infinity;
  /** Attempts that have failed. */
  #failed = 0;
  #isMeasured = false;
  readonly #rtts = new DurationHistogram(RTT_BOUNDS);
  readonly #connects = new DurationHistogram(RTT_BOUNDS);

  /** A new target counts as up; it gets at most `maxConnections` connections. */
  constructor(address: DialTarget, rules: HealthRules, maxConnections: number) {
    this.address = address;
    this.limit = new SharedLimit(maxConnections);
    this.name = formatDialTarget(address);
    this.#rules = rules;
  }

  /** Whether connections should go to it. */
  isUp(now: number): boolean {
    return this.#up || now >= this.#retryAt;
  }

  /** An attempt has succeeded after `milliseconds`. */
  succeeded(log: Logger, milliseconds: number): void {
    this.#connects.record(milliseconds / 1000);
    this.#failures = 0;
    if (this.#up || ++this.#successes < this.#rules.healthyAfter) return;
    this.#up = true;
    log.info("target is up again", { target: this.name });
  }

  /** An attempt has failed. */
  failed(now: number, error: unknown, log: Logger): void {
    if (isOwnLimit(error)) return this.#hitLimit(now, error as Error, log);
    this.#failed++;
    this.#successes = 0;
    if (this.#up && ++this.#failures < this.#rules.unhealthyAfter) return;
    this.#retryAt = now + (this.#rules.retryAfterMs ?? Infinity);
    if (!this.#up) return;
    this.#up = false;
    log.warn("target is down", { target: this.name, reason: messageOf(error) });
  }

  /** A connection has been made: its round-trip time is measured if the metrics have been read before. */
  connected(upstream: Duplex): void {
    if (!this.#isMeasured) return;
    upstream.onRtt?.((milliseconds) => this.#rtts.record(milliseconds / 1000));
  }

  /** The metrics of this target. */
  get metrics(): readonly Metric[] {
    this.#isMeasured = true;
    const attributes = { upstream: this.name };
    return [
      metricOf(UP, [[attributes, this.#up ? 1 : 0]]),
      metricOf(OPEN, [[attributes, this.limit.size]]),
      metricOf(FAILURES, [[attributes, this.#failed]]),
      metricOf(RTT, [[attributes, this.#rtts.value]]),
      metricOf(CONNECT_DURATION, [[attributes, this.#connects.value]]),
    ];
  }

  /** Logs, once a minute, that a limit of this host was reached. The target's health does not change. */
  #hitLimit(now: number, { message }: Error, log: Logger): void {
    if (now - this.#limitLoggedAt < LOG_MS) return;
    this.#limitLoggedAt = now;
    log.error("cannot connect to target", { target: this.name, reason: message });
  }
}
