/**
 * Run by Node.js in a network namespace: serves an echo on a TUN device, connects to it through the
 * kernel and prints a line of JSON. With the argument `worker`, a worker that is terminated opens the
 * device; with `gone`, the device is removed.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import process from "node:process";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { createStack } from "../../../../../mod.ts";
import { openTun } from "../../../../../exports/links.ts";
import { echo } from "../../../../../exports/plugins.ts";

/** Larger than the buffers on the way: the link has to wait for packets again and again. */
const SIZE = 4_000_000;

async function openEcho() {
  const link = await openTun({ name: "berth0", addresses: ["10.7.0.1/24"] });
  const stack = createStack({ link, addresses: ["10.7.0.2/24"] });
  stack.use(7, echo());
  return { link, stack };
}

/** Sends `SIZE` bytes to the echo, and returns what comes back. */
async function talk() {
  const sent = Buffer.alloc(SIZE, "ahoy ");
  const socket = connect(7, "10.7.0.2").end(sent);
  const received: Buffer[] = [];
  for await (const chunk of socket) received.push(chunk);
  return { bytes: SIZE, isSame: Buffer.concat(received).equals(sent) };
}

async function inThisThread() {
  const { link, stack } = await openEcho();
  const result = { ...await talk(), features: link.features };
  await stack.close();
  return result;
}

async function inWorker() {
  const worker = new Worker(new URL(import.meta.url));
  await once(worker, "message");
  const result = await talk();
  await worker.terminate();
  return result;
}

async function removed() {
  const { stack } = await openEcho();
  execFileSync("ip", ["link", "delete", "berth0"]);
  return await stack.finished.catch(({ code }) => ({ code }));
}

if (isMainThread) {
  const run = { worker: inWorker, gone: removed }[process.argv[2]!] ?? inThisThread;
  console.log(JSON.stringify(
    await run().catch(({ name, code, message }) => ({ name, code, message })),
  ));
} else {
  await openEcho();
  parentPort!.postMessage("open");
}
