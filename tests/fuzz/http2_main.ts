/**
 * Feeds HTTP/2 sessions frames of every kind, and HPACK decoders header blocks, until a check
 * fails:
 *
 *     http2_main.ts [--inputs 10000000] [--seed N]
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { HpackEpisode, Http2Episode } from "./http2_episode.ts";

const { values } = parseArgs({
  options: { inputs: { type: "string" }, seed: { type: "string" } },
});
const inputs = Number(values.inputs ?? 10_000_000);
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const began = performance.now();
let printedAt = began;
let done = 0;

console.log(`seed ${seed}, ${inputs} inputs for each surface`);
const http2 = new Http2Episode(seed);
const hpack = new HpackEpisode(seed);
try {
  for (; done < inputs; done += 1000) {
    http2.run(1000);
    hpack.run(1000);
    if (performance.now() - printedAt < 10_000) continue;
    printedAt = performance.now();
    console.log(`${done} inputs after ${seconds()} s`);
  }
  for (const [name, count] of http2.faults) console.log(`${name.padEnd(20)} ${count}`);
  console.log(`${http2.requests} requests, ${http2.frames} frames sent`);
  console.log(`${hpack.fields} fields, ${hpack.faults} blocks refused`);
  console.log(`${done} inputs in ${seconds()} s, nothing found`);
} catch (error) {
  console.error(error);
  console.error(`input ${http2.inputs} of HTTP/2, block ${hpack.blocks} of HPACK, seed ${seed}`);
  process.exitCode = 1;
}

function seconds(): string {
  return ((performance.now() - began) / 1000).toFixed(1);
}
