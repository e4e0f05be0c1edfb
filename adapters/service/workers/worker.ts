/**
 * The module that a worker runs: one shard of the service.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Logger } from "../../../core/api/environment.ts";
import { divideSockets } from "../../host/socket_limits.ts";
import { adoptQueue } from "../../links/tun/queues.ts";
import { createLogger, writeToStderr } from "../cli/logger.ts";
import { logUncaughtErrors } from "../cli/stray_errors.ts";
import { messageOf, UsageError } from "../errors.ts";
import { networkOn } from "../links/network.ts";
import { type LoadedPlugins, loadPlugins, serve, type ServingStack } from "../service.ts";
import type { WorkerData, WorkerEvent, WorkerRequest } from "./messages.ts";
import { ShardLink } from "./shard_link.ts";

const data: WorkerData = workerData;
const { settings } = data;
const log = createLogger({ level: settings.logLevel, write: writeToStderr });
let plugins: LoadedPlugins = [];
let serving: ServingStack | undefined;
let close = () => {};

logUncaughtErrors(log);
parentPort!.on("message", (order: WorkerRequest) => reportFailure(() => handleRequest(order)));
await reportFailure(async () => {
  plugins = await loadPlugins(settings);
  report({ type: "loaded" });
});

function handleRequest(order: WorkerRequest): void | Promise<void> {
  switch (order.type) {
    case "serve":
      return serveQueue(order, log);
    case "count":
      return report({ type: "counters", counters: counters() });
    case "drain":
      return drain();
    case "close":
      return close();
  }
}

async function serveQueue(
  { queue, count, seed }: WorkerRequest & { type: "serve" },
  log: Logger,
): Promise<void> {
  divideSockets(count);
  const shard = { index: data.index, count, seed };
  const link = new ShardLink(adoptQueue(queue), shard, data.ends);
  serving = await serve(plugins, networkOn(link, settings, log), settings, log);
  serving.finished.catch(fail);
  report({
    type: "serving",
    published: serving.published.map(({ address, to, transport }) => ({ address, to, transport })),
  });
}

/** Refuses connections until all shards have drained and the device can be closed. */
async function drain(): Promise<void> {
  const stopped = serving?.stop(() => {
    report({ type: "drained" });
    return new Promise((resolve) => close = resolve);
  });
  log.debug("refuses new connections", { worker: data.index });
  await stopped;
  report({ type: "closed", counters: counters() });
}

function counters(): Readonly<Record<string, number>> {
  return serving?.stats() ?? {};
}

async function reportFailure(act: () => void | Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  const isUsage = error instanceof UsageError;
  report({ type: "failed", message: isUsage ? error.message : messageOf(error), isUsage });
}

function report(message: WorkerEvent): void {
  parentPort!.postMessage(message);
}
