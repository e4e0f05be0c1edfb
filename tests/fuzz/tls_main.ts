/**
 * Feeds TLS servers of both engines handshakes and records that were changed in transit, until a
 * check fails:
 *
 *     tls_main.ts [--inputs 100000] [--seed N] [--engine openssl|runtime]
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { makeCertificate } from "../support/certificates.ts";
import { TlsEpisode } from "./tls_episode.ts";

const { values } = parseArgs({
  options: {
    inputs: { type: "string" },
    seed: { type: "string" },
    engine: { type: "string" },
  },
});
const inputs = Number(values.inputs ?? 100_000);
const seed = Number(values.seed ?? Date.now() % 1_000_000_000);
const certificate = makeCertificate(["localhost"]);
const engines = (["openssl", "runtime"] as const)
  .filter((engine) => values.engine === undefined || values.engine === engine);

console.log(`seed ${seed}, ${inputs} inputs for each engine`);
for (const engine of engines) await fuzz(engine);

async function fuzz(engine: "openssl" | "runtime"): Promise<void> {
  const began = performance.now();
  const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
  let printedAt = began;
  const episode = new TlsEpisode(seed, certificate, engine);
  try {
    while (episode.inputs < inputs) {
      await episode.run(1000);
      if (performance.now() - printedAt < 10_000) continue;
      printedAt = performance.now();
      console.log(`${engine}: ${episode.inputs} inputs after ${seconds()} s`);
    }
    for (const [reason, count] of episode.faults) console.log(`${reason.padEnd(60)} ${count}`);
    console.log(`${episode.changed} inputs changed, ${episode.secured} handshakes completed`);
    console.log(`${engine}: ${episode.inputs} inputs in ${seconds()} s, nothing found`);
  } catch (error) {
    console.error(error);
    console.error(`${engine}: input ${episode.inputs} of seed ${seed}`);
    process.exitCode = 1;
  }
}
