/**
 * A thread that takes packets out of its mailbox, as shard 1 of two, and reports every 64th.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { Mailboxes } from "../../../adapters/service/workers/mailboxes.ts";

let count = 0;
const mailboxes: Mailboxes = new Mailboxes(1, workerData, takeAll);

function takeAll(): void {
  while (mailboxes.take() !== undefined) if (++count % 64 === 0) parentPort!.postMessage(count);
}

parentPort!.postMessage(0);
