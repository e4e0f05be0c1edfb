/**
 * Clients of an echo service that pause in the middle of their transfer until told to continue:
 * `held_transfers.ts HOST PORT COUNT`. Prints "running"; after a line on stdin they send the rest,
 * half-close and read to the end. Prints what went wrong and "N equal".
 *
 * @module
 */
import process from "node:process";
import { Transfer } from "./transfer.ts";

const [host = "", port = "", count = ""] = process.argv.slice(2);
const FIRST = 1_000_000;
const ALL = 3_000_000;

const transfers = Array.from({ length: Number(count) }, () => new Transfer(host, Number(port)));
await Promise.all(transfers.map(async (transfer) => {
  await transfer.send(FIRST);
  await transfer.received(FIRST);
}));
console.log("running");
await new Promise((resolve) => process.stdin.once("data", resolve));
const failures = await Promise.all(transfers.map(async (transfer) => {
  await transfer.send(ALL);
  return await transfer.finish();
}));
for (const failure of failures) if (failure !== undefined) console.log(failure);
console.log(`${failures.filter((failure) => failure === undefined).length} equal`);
process.exit(0);
