/**
 * What a test says when the stack did something else.
 *
 * @module
 */
import { formatTime } from "./notation.ts";

/** Lines of the trace that are shown before the one that is wrong. */
const CONTEXT = 12;

/** A time in milliseconds and a segment in packetdrill's notation. */
export type Line = readonly [number, string];

/** What was expected and what was sent, as the two lines of a difference, behind what led there. */
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
