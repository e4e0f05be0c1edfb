/**
 * The ranges of a connection that are marked lost, and which of them are new.
 *
 * @module
 */
import { seqGeq, seqLeq } from "../../wire/seq.ts";
import type { Scoreboard } from "../recovery/scoreboard.ts";

/** Start, and the sequence number after the end. */
export type Range = readonly [start: number, end: number];

/** The lost ranges, joined where they are adjacent. */
export function lostRanges(scoreboard: Scoreboard): Range[] {
  const ranges: Range[] = [];
  if (scoreboard.lostBytes === 0) return ranges;
  for (let i = 0; i < scoreboard.count; i++) {
    const { lost, start, end } = scoreboard.at(i);
    if (lost) append(ranges, start, end);
  }
  return ranges;
}

/** The parts of `ranges` outside of `known`. Both are in order, and neither overlaps itself. */
export function newlyLost(ranges: readonly Range[], known: readonly Range[]): Range[] {
  const fresh: Range[] = [];
  for (const [start, end] of ranges) {
    let from = start;
    for (const [knownStart, knownEnd] of known) {
      if (seqLeq(knownEnd, from) || seqGeq(knownStart, end)) continue;
      if (!seqLeq(knownStart, from)) append(fresh, from, knownStart);
      from = knownEnd;
    }
    if (!seqGeq(from, end)) append(fresh, from, end);
  }
  return fresh;
}

function append(ranges: Range[], start: number, end: number): void {
  const last = ranges.at(-1);
  if (last !== undefined && last[1] === start) ranges[ranges.length - 1] = [last[0], end];
  else ranges.push([start, end]);
}
