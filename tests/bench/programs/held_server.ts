/**
 * An echo service on a TUN device that reports the cost of its connections: `held_server.ts
 * [JSON]`, the `tcp` options. Prints "ready"; answers the line "count" with counters and the CPU
 * time so far, and "memory" with the memory in use after a garbage collection.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { openTun } from "../../../adapters/links/tun/mod.ts";
import { createStack } from "../../../core/api/stack.ts";
import { echo } from "../../../plugins/echo.ts";
import { usedMemory } from "../garbage.ts";

/** Counters of the server. */
export interface HeldCounts {
  readonly connections: number;
  /** Number of connections with a running timer. */
  readonly timers: number;
  readonly packetsOut: number;
  /** CPU time in microseconds. */
  readonly processorTime: number;
}

const tcp = JSON.parse(process.argv[2] ?? "{}");
const link = await openTun({ name: "berth0", addresses: ["10.90.0.1/24"] });
const stack = createStack({ link, addresses: ["10.90.0.2/24"], tcp });
// A client's address has some 28,000 ports for each of these.
stack.use("1000-1999", echo());
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(line === "memory" ? await usedMemory() : count()));
}
await stack.close();
process.exit(0);

function count(): HeldCounts {
  const { connections = 0, timers = 0, packetsOut = 0 } = stack.stats();
  const { user, system } = process.cpuUsage();
  return { connections, timers, packetsOut, processorTime: user + system };
}
