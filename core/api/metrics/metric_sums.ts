/**
 * Adds up metrics of several sources: plugins, threads.
 *
 * @module
 */
import { addHistograms } from "./histogram.ts";
import type { HistogramValue, Metric, MetricAttributes, MetricDefinition } from "./metric.ts";

/**
 * Maximum number of points of one metric. Further combinations of attributes are added to one point, whose
 * attributes have the value `other`.
 */
export const MAX_POINTS = 1000;

/** Longest value of an attribute, in characters; longer ones are cut. */
export const MAX_ATTRIBUTE_LENGTH = 200;

type Value = number | HistogramValue;

interface Sum {
  readonly definition: MetricDefinition;
  readonly points: Map<string, { readonly attributes: MetricAttributes; value: Value }>;
}

/** Sums by name and attributes. */
export class MetricSums {
  readonly #sums = new Map<string, Sum>();

  /**
   * Adds metrics; each point gets `attributes` too.
   *
   * @throws {TypeError} They do not match their type, as can happen with a plugin in JavaScript.
   */
  add(metrics: Iterable<Metric>, attributes?: MetricAttributes): void {
    for (const metric of metrics) {
      const sum = this.#sumOf(metric);
      for (const point of metric.points) {
        const all = attributes === undefined
          ? point.attributes
          : { ...attributes, ...point.attributes };
        addPoint(sum, all, point.value);
      }
    }
  }

  /** The sums, in the order of first appearance. */
  get metrics(): Metric[] {
    return Array.from(this.#sums.values(), ({ definition, points }) => ({
      ...definition,
      points: Array.from(points.values(), ({ attributes, value }) => ({ attributes, value })),
    }));
  }

  #sumOf(definition: MetricDefinition): Sum {
    let sum = this.#sums.get(definition.name);
    if (sum === undefined) {
      checkDefinition(definition);
      sum = { definition, points: new Map() };
      this.#sums.set(definition.name, sum);
    }
    return sum;
  }
}

const KINDS: readonly unknown[] = [
  "counter",
  "gauge",
  "histogram",
] satisfies MetricDefinition["kind"][];

function checkDefinition({ name, kind, unit, description }: MetricDefinition): void {
  const isNamed = [name, unit, description].every((text) => typeof text === "string");
  if (isNamed && KINDS.includes(kind)) return;
  throw new TypeError(`${name}: expected a metric with name, kind, unit and description`);
}

function addPoint({ definition, points }: Sum, given: MetricAttributes, value: Value): void {
  if (typeof value !== "number" && !Array.isArray(value?.counts)) {
    throw new TypeError(`${definition.name}: ${value} is neither a number nor a histogram`);
  }
  let attributes = withShortValues(given);
  let key = keyOf(attributes);
  if (!points.has(key) && points.size >= MAX_POINTS - 1) {
    attributes = Object.fromEntries(Object.keys(given).map((name) => [name, "other"]));
    key = keyOf(attributes);
  }
  const found = points.get(key);
  if (found === undefined) points.set(key, { attributes, value });
  else found.value = combined(definition, found.value, value);
}

function keyOf(attributes: MetricAttributes): string {
  let key = "";
  for (const name in attributes) key += `${name}\0${attributes[name]}\0`;
  return key;
}

function withShortValues(attributes: MetricAttributes): MetricAttributes {
  for (const name in attributes) {
    // Negated, so that a value of a plugin in JavaScript that has no length ends up in `shortened` too.
    if (!(attributes[name]!.length <= MAX_ATTRIBUTE_LENGTH)) return shortened(attributes);
  }
  return attributes;
}

function shortened(attributes: MetricAttributes): MetricAttributes {
  const short = ([name, value]: [string, string]) => [name, value.slice(0, MAX_ATTRIBUTE_LENGTH)];
  return Object.fromEntries(Object.entries(attributes).map(short));
}

function combined({ combine = "sum" }: MetricDefinition, one: Value, other: Value): Value {
  if (typeof one === "object" && typeof other === "object") return addHistograms(one, other);
  if (typeof one === "object" || typeof other === "object") return one;
  return combine === "min" ? Math.min(one, other) : one + other;
}
