/**
 * Measures the cost of a spoofed SYN, the mean of 100,000 in nanoseconds; prints a line of JSON for
 * each profile.
 *
 *     deno run -A tests/bench/syn_flood.ts
 *     bun tests/bench/syn_flood.ts
 *
 * @module
 */
import process from "node:process";
import { Flood } from "../fuzz/flood/flood.ts";

const SYNS = 100_000;

for (const profile of ["local", "internet"] as const) {
  for (const version of [4, 6] as const) {
    const flood = new Flood({ profile, version, backlog: 511, synsPerMs: 0 });
    for (let i = 0; i < SYNS / 10; i++) flood.spoof();
    const before = process.memoryUsage().heapUsed;
    const began = performance.now();
    for (let i = 0; i < SYNS; i++) flood.spoof();
    const ms = performance.now() - began;
    const heapKiB = Math.round((process.memoryUsage().heapUsed - before) / 1024);
    const nanoseconds = Math.round(ms * 1e6 / SYNS);
    console.log(JSON.stringify({ profile, version, nanoseconds, heapKiB }));
  }
}
