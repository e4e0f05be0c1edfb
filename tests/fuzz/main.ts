/**
 * Delivers random packets to stacks until a check fails:
 *
 *     main.ts [--packets 10000000] [--seed N]
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";

const { values } = parseArgs({
  options: { packets: { type: "string" }, seed: { type: "string" } },
});
const packets = Number(values.packets ?? 10_000_000);
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const began = performance.now();
let printedAt = began;

console.log(`seed ${seed}, ${packets} packets`);
try {
  const { packets: given, sent, met } = fuzz(seed, packets, (done) => {
    if (performance.now() - printedAt < 10_000) return;
    printedAt = performance.now();
    console.log(`${done} packets after ${seconds()} s`);
  });
  for (const [state, count] of met) console.log(`${state.padEnd(13)} ${count}`);
  console.log(`${given} packets in ${seconds()} s, ${sent} sent, nothing found`);
} catch (error) {
  const { message, cause } = error as Error;
  console.error(cause instanceof Error ? cause.stack : cause);
  console.error(message);
  process.exitCode = 1;
}

function seconds(): string {
  return ((performance.now() - began) / 1000).toFixed(1);
}
