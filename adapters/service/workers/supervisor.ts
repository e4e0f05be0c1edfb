/**
 * The service in several threads: each runs a shard of the stack with its plugins, on its own queue of
 * the same device. This thread supervises them.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { type Logger, systemRandom } from "../../../core/api/environment.ts";
import { readI32 } from "../../../core/wire/bytes.ts";
import { openTunQueues } from "../../links/tun/queues.ts";
import { UsageError } from "../errors.ts";
import type { Service } from "../service.ts";
import type { Settings } from "../settings/settings.ts";
import { sumCounters } from "./counters.ts";
import { connectMailboxes } from "./mailboxes.ts";
import type { Counters } from "./messages.ts";
import { WORKER_MODULE, WorkerHandle } from "./worker_handle.ts";

/**
 * Starts the workers. If one fails, the service ends.
 *
 * @throws {UsageError} A setting cannot be used.
 * @throws {Error} The device, a port or a worker is not available.
 */
export async function startWorkers(settings: Settings, log: Logger): Promise<Service> {
  requireWorkerModule();
  const { promise: finished, resolve: finish, reject: fail } = Promise.withResolvers<void>();
  finished.catch(() => {});
  const workers = connectMailboxes(settings.workers).map((ends, index) => {
    const publish = index === 0 ? settings.publish : [];
    return new WorkerHandle({ settings: { ...settings, publish }, index, ends }, fail);
  });
  const endAll = () => Promise.all(workers.map((worker) => worker.end()));
  try {
    await Promise.all(workers.map((worker) => worker.told("loaded")));
    const started = await serveQueues(workers, settings, log);
    return {
      ...started,
      addresses: settings.addresses,
      finished,
      stats: async () => sumCounters(await countersOf(workers, log)),
      async stop() {
        await drainAndClose(workers);
        await endAll();
        finish();
      },
    };
  } catch (error) {
    await endAll();
    throw error;
  }
}

/**
 * A worker is started from a file, which a remote module and a compiled binary do not have.
 *
 * @throws {UsageError} There is no such file.
 */
export function requireWorkerModule(): void {
  if (WORKER_MODULE.protocol === "file:" && existsSync(WORKER_MODULE)) return;
  throw new UsageError(
    "--workers: threads need berth's files on this machine, which neither a remote module nor " +
      "a compiled binary has: run main.ts from a checkout, or omit --workers",
  );
}

/** Passes each worker the descriptor of a queue; if a step fails, they are closed with the process. */
async function serveQueues(
  workers: readonly WorkerHandle[],
  settings: Settings,
  log: Logger,
): Promise<Pick<Service, "place" | "published">> {
  const { tun: name, hostAddresses: addresses, mtu } = settings;
  const count = workers.length;
  const seed = randomSeed();
  const { queues, steered } = await openTunQueues({ name: name!, addresses, mtu }, count, seed);
  const how = steered ? "own program" : "kernel's hash, the rest is forwarded";
  log.info("steering", { by: how, workers: count });
  const serving = await Promise.all(workers.map((worker, index) => {
    return worker.ask({ type: "serve", queue: queues[index]!, count, seed }, "serving");
  }));
  return {
    place: `device ${queues[0]!.name} with ${count} workers`,
    published: serving.flatMap(({ published }) => published),
  };
}

async function countersOf(workers: readonly WorkerHandle[], log: Logger): Promise<Counters[]> {
  const answers = await Promise.all(workers.map((each) => each.ask({ type: "count" }, "counters")));
  for (const [worker, { counters }] of answers.entries()) {
    log.debug("worker stats", { worker, ...counters });
  }
  return answers.map(({ counters }) => counters);
}

/**
 * All shards keep running until each has drained: while the device exists, the kernel steers segments to
 * all of them, and new connections have to be refused.
 */
async function drainAndClose(workers: readonly WorkerHandle[]): Promise<void> {
  await Promise.all(workers.map((worker) => worker.ask({ type: "drain" }, "drained")));
  await Promise.all(workers.map((worker) => worker.ask({ type: "close" }, "closed")));
}

function randomSeed(): number {
  const bytes = new Uint8Array(4);
  systemRandom.fill(bytes);
  return readI32(bytes, 0);
}
