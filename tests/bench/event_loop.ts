/**
 * Measures whether the event loop stays responsive while a stack moves bulk data. Runs on the current runtime in a
 * separate network namespace, and prints a line of JSON for each load: how long a timer of 1 ms takes in the stack's
 * process and, for comparison, in an idle process on the same machine.
 *
 *     deno run -A tests/bench/event_loop.ts
 *     bun tests/bench/event_loop.ts
 *
 * @module
 */
import process from "node:process";
import { runEchoClients } from "../e2e/service.ts";
import { Namespace } from "../support/namespace.ts";
import { runtimeCommand } from "../support/program.ts";
import { requires } from "../support/requirements.ts";
import { DelayWatch } from "./delays.ts";

/** Number of concurrent echo connections, and their bytes together. */
const LOADS = [{ connections: 1, bytes: 1024 ** 3 }, { connections: 50, bytes: 1024 ** 3 }];

async function main(): Promise<void> {
  const available = requires("tun", "program:ip", "program:nsenter");
  if (!available.ok) throw new Error(`This benchmark ${available.reason}`);
  for (const profile of ["local", "internet"]) {
    for (const offload of [true, false]) {
      for (const load of LOADS) console.log(JSON.stringify(await measure(profile, offload, load)));
    }
  }
}

async function measure(
  profile: string,
  offload: boolean,
  { connections, bytes }: typeof LOADS[number],
): Promise<Record<string, unknown>> {
  await using namespace = await Namespace.open();
  const stack = namespace.start(
    ...runtimeCommand("tests/bench/watched_stack.ts", profile, String(offload)),
  );
  await stack.printed(/ready/);
  const each = Math.floor(bytes / (offload ? 1 : 4) / connections);
  stack.say("begin\n");
  const control = new DelayWatch();
  const began = performance.now();
  const load = { connections, atOnce: connections, least: each, most: each };
  const result = await runEchoClients(namespace, load, 120_000);
  const seconds = (performance.now() - began) / 1000;
  stack.say("end\n");
  const [delays] = await stack.printed(/\{.*\}/);
  const idle = control.stop();
  if (result !== `${connections} equal\n`) throw new Error(result);
  const megabytesPerSecond = Math.round(each * connections / 1e6 / seconds);
  return { profile, offload, connections, megabytesPerSecond, stack: JSON.parse(delays), idle };
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
