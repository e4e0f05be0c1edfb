/**
 * Load generators, and how to extract their figures.
 *
 * @module
 */
import type { Load, Measured } from "./alternate.ts";

/** Connections of `wrk`. */
const HTTP_CONNECTIONS = 32;

/** Bulk transfers with `iperf3`: up, down, and both at once. */
export function iperf3Loads(seconds: number): Load[] {
  const load = (name: string, ...flags: readonly string[]): Load => ({
    name,
    unit: "Gbit/s",
    command: ({ address, serves = [] }) =>
      serves.includes("iperf3")
        ? ["iperf3", "--json", "-c", address, "-t", String(seconds), "-O", "1", ...flags]
        : undefined,
    figure: gigabitsOf,
  });
  return [
    load("up, 1 connection"),
    load("up, 16 connections", "-P", "16"),
    load("down, 1 connection", "-R"),
    load("down, 16 connections", "-R", "-P", "16"),
    load("both ways, 1 + 1 connections", "--bidir"),
    load("both ways, 16 + 16 connections", "--bidir", "-P", "16"),
  ];
}

/** Received data in both directions. */
function gigabitsOf(out: string): number {
  const { end, error } = JSON.parse(out);
  if (error !== undefined) throw new Error(String(error));
  const back = end.sum_received_bidir_reverse?.bits_per_second ?? 0;
  return (end.sum_received.bits_per_second + back) / 1e9;
}

/** Small responses, measured with `wrk`. */
export function httpLoad(seconds: number): Load {
  const flags = ["-t1", `-c${HTTP_CONNECTIONS}`, `-d${seconds}`];
  return {
    name: `HTTP "hello", ${HTTP_CONNECTIONS} connections`,
    unit: "requests/s",
    command: ({ address, serves = [] }) =>
      serves.includes("http") ? ["wrk", ...flags, `http://${address}/`] : undefined,
    figure: requestsOf,
  };
}

/** The rate that `wrk` reports. */
export function requestsOf(out: string): number {
  const fault = /Socket errors:.*|Non-2xx.*/.exec(out);
  if (fault !== null) throw new Error(fault[0]);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1]);
}

/** Errors counted by the generator; a result with any of them is invalid. */
const FAULTS = ["mismatches", "errors", "resets", "early_eof", "stalled", "lost"];

/** A field of a JSON line, provided that it reports no errors. */
export function figureOf(out: string, field: string): number {
  const said = JSON.parse(out);
  const isFaulty = FAULTS.some((fault) => said[fault] > 0);
  if (isFaulty || typeof said[field] !== "number" || said.error !== undefined) {
    throw new Error(out);
  }
  return said[field];
}

/** Suffix that {@link checkedLoads} adds to a load's name. */
const COUNTED = "bytes counted";
const CHECKED = "every byte checked";

/** Bulk transfers by a client on Bun, with and without checking every byte. */
export function checkedLoads(bun: string, port: number, seconds: number): Load[] {
  const client = [bun, "tests/bench/programs/bulk_client.ts"];
  return ["up", "down"].flatMap((way) =>
    [1, 16].flatMap((connections) =>
      [COUNTED, CHECKED].map((how): Load => ({
        name: `${way}, ${connections} connection${connections === 1 ? "" : "s"}, ${how}`,
        unit: "Gbit/s",
        command: ({ address, serves = [] }) => {
          const mode = how === CHECKED ? `${way}-checked` : way;
          return serves.includes("bulk")
            ? [...client, ...[mode, address, port, seconds, connections].map(String)]
            : undefined;
        },
        figure: (out) => figureOf(out, "gbit_s"),
      }))
    )
  );
}

/** Ratio of the checked to the unchecked figure, for each pair of {@link checkedLoads}. */
export function sharesOf(results: readonly Measured[]): Measured[] {
  return results.flatMap(({ load, target, median }) => {
    if (!load.endsWith(CHECKED) || median === undefined) return [];
    const other = load.replace(CHECKED, COUNTED);
    const counted = results.find((one) => one.load === other && one.target === target)?.median;
    if (counted === undefined) return [];
    const share = Math.round(median / counted * 100);
    return [{
      load: load.replace(CHECKED, "checked of counted"),
      unit: "%",
      target,
      median: share,
    }];
  });
}

/** Loads of a generator that prints a JSON line: `GENERATOR MODE HOST PORT SECONDS CONNECTIONS`. */
export function generatorLoads(generator: string, seconds: number): Load[] {
  const load = (
    [name, unit, field]: readonly [string, string, string],
    mode: string,
    port: number,
    connections: number,
  ): Load => ({
    name,
    unit,
    command: ({ address }) => [generator, mode, address, port, seconds, connections].map(String),
    figure: (out) => figureOf(out, field),
  });
  const bulk = (name: string) => [name, "Gbit/s", "gbit_s"] as const;
  return [
    load(bulk("up, 1 connection"), "up", 9, 1),
    load(bulk("up, 16 connections"), "up", 9, 16),
    load(bulk("down, 1 connection"), "down", 19, 1),
    load(bulk("down, 16 connections"), "down", 19, 16),
    load(bulk("echo, 1 connection"), "echo", 7, 1),
    load(bulk("echo, 16 connections"), "echo", 7, 16),
    load(["64 bytes there and back, 1 connection", "per s", "req_s"], "pingpong", 7, 1),
    load(["64 bytes there and back, 64 connections", "per s", "req_s"], "pingpong", 7, 64),
    load(["connect, 64 bytes, close; 32 at a time", "per s", "conn_s"], "crr", 7, 32),
  ];
}
