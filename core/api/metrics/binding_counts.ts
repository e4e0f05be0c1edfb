/**
 * Counts for each listen address and its plugins.
 *
 * @module
 */
import { DurationHistogram, RTT_BOUNDS } from "./histogram.ts";
import { type Metric, type MetricAttributes, type MetricDefinition, metricOf } from "./metric.ts";

/**
 * Maximum number of listen addresses with plugins that are counted separately; the others are counted
 * together, as `other`.
 */
export const MAX_BINDINGS = 1000;

const CONNECTIONS: MetricDefinition = {
  name: "berth.binding.connections",
  kind: "counter",
  unit: "{connection}",
  description:
    "Connections and flows that the plugins of a listen address served; one that moved counts where it began.",
};
const OPEN: MetricDefinition = {
  name: "berth.binding.open",
  kind: "gauge",
  unit: "{connection}",
  description: "Connections and flows that are being served.",
};
const REFUSED: MetricDefinition = {
  name: "berth.binding.refused",
  kind: "counter",
  unit: "{connection}",
  description: "Connections that plugins refused or ignored before the SYN was answered.",
};
const BYTES: MetricDefinition = {
  name: "berth.binding.io",
  kind: "counter",
  unit: "By",
  description:
    "Bytes of payload that handlers read and wrote; those of a UDP flow are added when it ends.",
};
const ERRORS: MetricDefinition = {
  name: "berth.binding.handler.errors",
  kind: "counter",
  unit: "{error}",
  description: "Handlers that failed.",
};
const DURATION: MetricDefinition = {
  name: "berth.binding.handler.duration",
  kind: "histogram",
  unit: "s",
  description:
    "How long handlers ran; for a connection that moved, the time since it was accepted.",
};
const RTT: MetricDefinition = {
  name: "berth.tcp.rtt",
  kind: "histogram",
  unit: "s",
  description: "Smoothed round-trip times of connections at their end (RFC 6298).",
};

/** All metrics of {@link BindingCountsTable}. */
export const BINDING_METRICS: readonly MetricDefinition[] = [
  ...[CONNECTIONS, OPEN, REFUSED, BYTES, ERRORS, DURATION, RTT],
];

/** The counts of one listen address with its plugins. */
export class BindingCounts {
  readonly attributes: MetricAttributes;
  /**
   * Connections and flows served so far, those that have ended included. A connection that has moved counts where it
   * began: the counters of all processes of a service are added up.
   */
  served = 0;
  refused = 0;
  errors = 0;
  readonly durations: DurationHistogram = new DurationHistogram();
  readonly #rtts = new DurationHistogram(RTT_BOUNDS);
  /** Payload, without retransmissions. */
  bytesIn = 0;
  bytesOut = 0;
  /** Connections that have moved here. */
  #continued = 0;
  /** Ended, or moved from here. */
  #ended = 0;

  constructor(attributes: MetricAttributes) {
    this.attributes = attributes;
  }

  /** A connection is served from now on, which began elsewhere if it has moved here. */
  connectionServed(hasMovedHere: boolean): void {
    if (hasMovedHere) this.#continued++;
    else this.served++;
  }

  /** A connection has moved to other plugins or to another stack, which count its end. */
  connectionMoved(): void {
    this.#ended++;
  }

  /** A connection has ended; `srttUs` is 0 if nothing was measured. */
  connectionEnded({ srttUs }: { readonly srttUs: number }): void {
    this.#ended++;
    if (srttUs > 0) this.#rtts.record(srttUs / 1e6);
  }

  /** A flow has ended. */
  flowEnded(bytesIn: number, bytesOut: number): void {
    this.#ended++;
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
  }

  /** A snapshot. */
  get metrics(): Metric[] {
    const { attributes } = this;
    const direction = (direction: string) => ({
      ...attributes,
      "network.io.direction": direction,
    });
    return [
      metricOf(CONNECTIONS, [[attributes, this.served]]),
      metricOf(OPEN, [[attributes, this.served + this.#continued - this.#ended]]),
      metricOf(REFUSED, [[attributes, this.refused]]),
      metricOf(BYTES, [
        [direction("receive"), this.bytesIn],
        [direction("transmit"), this.bytesOut],
      ]),
      metricOf(ERRORS, [[attributes, this.errors]]),
      metricOf(DURATION, [[attributes, this.durations.value]]),
      metricOf(RTT, [[attributes, this.#rtts.value]]),
    ];
  }
}

/** The counts of all listen addresses of a stack. They stay when plugins are replaced or removed. */
export class BindingCountsTable {
  readonly #all = new Map<string, BindingCounts>();

  /** The counts of a listen address with plugins of this name. */
  of(listen: string, plugin: string): BindingCounts {
    const key = `${listen}\0${plugin}`;
    const found = this.#all.get(key);
    if (found !== undefined) return found;
    const isFull = this.#all.size >= MAX_BINDINGS - 1;
    if (isFull && listen !== "other") return this.of("other", "other");
    const counts = new BindingCounts({ listen, plugin });
    this.#all.set(key, counts);
    return counts;
  }

  /** In the order of creation. */
  all(): Iterable<BindingCounts> {
    return this.#all.values();
  }
}
