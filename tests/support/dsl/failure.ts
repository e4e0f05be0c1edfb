/**
 * Failure messages of traces.
 *
 * @module
 */
import { formatTime } from "./notation.ts";

/** Number of lines of the trace shown before the wrong one. */
const CONTEXT = 12;

/** A time in milliseconds and a segment in packetdrill's notation. */
export type Line = readonly [number, string];

/**
 * Formats the expected and the actual segment as two lines of a difference, after the preceding
 * trace.
 */
export function failure(log: readonly string[], wanted: Line, got: Line): Error {
  return new Error([
    `not the segment that was expected${callerLine()}`,
    ...log.slice(-CONTEXT).map((line) => `  ${line}`),
    `- ${formatTime(wanted[0])} > ${wanted[1]}`,
    `+ ${formatTime(got[0])} > ${got[1]}`,
  ].join("\n"));
}

/** ` at tests/core/tcp/some_test.ts:12`: the test's line that expected it. */
function callerLine(): string {
  const frames = new Error().stack?.split("\n").slice(1) ?? [];
  const frame = frames.find((line) => line.includes("_test.ts"));
  const place = frame?.match(/(tests\/[\w/]+_test\.ts:\d+)/)?.[1];
  return place === undefined ? "" : ` at ${place}`;
}
