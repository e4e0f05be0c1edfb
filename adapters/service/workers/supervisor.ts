/**
 * The service in several threads: each runs a shard of the stack with its plugins, on its own queue of
 * the same device. This thread supervises them.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { type Logger, systemClock, systemRandom } from "../../../core/api/environment.ts";
import { MetricSums } from "../../../core/api/metrics/metric_sums.ts";
import { SerialQueue } from "../../../core/api/runtime/serial_queue.ts";
import type { ShardSeed } from "../../../core/stack/sharding/shard.ts";
import { readI32 } from "../../../core/wire/bytes.ts";
import { checkImpairments } from "../../links/decorators/impair/impairments.ts";
import { compileFilter } from "../../links/decorators/pcapng/packet_filter.ts";
import type { Device } from "../../links/tun/device.ts";
import { openTunQueues } from "../../links/tun/queues.ts";
import { UsageError } from "../errors.ts";
import { processMetrics } from "../metrics/process_metrics.ts";
import type { PublishedPort } from "../publish/publish.ts";
import { Readiness } from "../readiness/readiness.ts";
import { firstStream } from "../inspection/first_stream.ts";
import { mergeCaptures } from "../inspection/merge_captures.ts";
import { type Changes, sumChanges } from "../reload/changes.ts";
import { mergePages } from "../admin/connections.ts";
import type { Service, StartOptions } from "../service.ts";
import type { Settings } from "../settings/settings.ts";
import { sumCounters } from "./counters.ts";
import { connectMailboxes, haveJoined } from "./mailboxes.ts";
import { keptQueues } from "../upgrade/kept_queues.ts";
import { newIdentity, type StackIdentity } from "../upgrade/identity.ts";
import type { Handover, Inheritance } from "../upgrade/inheritance.ts";
import type { Counters, WorkerEvent, WorkerRequest } from "./messages.ts";
import { requireProcessors } from "./processors.ts";
import { WORKER_MODULE, WorkerHandle } from "./worker_handle.ts";
import { waitingLines } from "./worker_log.ts";

/**
 * Starts the workers. If one fails, the service ends.
 *
 * @throws {UsageError} A setting cannot be used.
 * @throws {Error} The device, a port or a worker is not available.
 */
export async function startWorkers(
  settings: Settings,
  log: Logger,
  { inheritance, identity = inheritance?.identity ?? newIdentity() }: StartOptions = {},
): Promise<Service> {
  requireWorkerModule();
  requireProcessors(settings);
  const { promise: finished, resolve: finish, reject: fail } = Promise.withResolvers<void>();
  finished.catch(() => {});
  const ends = connectMailboxes(settings.workers);
  const workers = ends.map((own, index) =>
    new WorkerHandle(
      {
        settings: settingsOf(settings, index),
        index,
        ends: own,
        logLevel: settings.logLevel,
        waitingLines: waitingLines(),
      },
      log,
      fail,
    )
  );
  const endAll = () => Promise.all(workers.map((worker) => worker.end()));
  try {
    await Promise.all(workers.map((worker) => worker.nextEvent("loaded")));
    const seed = inheritance?.seed ?? randomSeed();
    const started = { identity, seed, shards: inheritance?.shards };
    const { place, published } = await serveQueues(workers, settings, log, started);
    const current = { settings, published };
    // Requests are sent one at a time, because an answer does not say which request it is for.
    const requests = new SerialQueue();
    // All workers have the same state, because they get the same requests.
    const readiness = new Readiness(
      systemClock,
      () => {},
      () => settings.peers === undefined || haveJoined(ends[0]!),
    );
    return {
      place,
      addresses: settings.addresses,
      get published() {
        return current.published;
      },
      get settings() {
        return current.settings;
      },
      async reload(next) {
        const { changes, published } = await changeAll(workers, next);
        [current.settings, current.published] = [next, published];
        return changes;
      },
      finished,
      handover: handoverOf(workers, identity, seed),
      async connections() {
        const lists = await Promise.all(
          workers.map((each) => each.ask({ type: "list" }, "connections")),
        );
        return lists.flatMap(({ connections }) => connections);
      },
      select: (selection) =>
        requests.run(async () => {
          const { offset, limit } = selection;
          // A page without rows returns only their number.
          const first = { ...selection, offset: 0, limit: limit === 0 ? 0 : offset + limit };
          const answers = await Promise.all(
            workers.map((each) => each.ask({ type: "select", selection: first }, "selected")),
          );
          return mergePages(answers.map(({ page }) => page), selection);
        }),
      connection: (id) =>
        requests.run(async () => {
          const answers = await Promise.all(
            workers.map((each) => each.ask({ type: "find", id }, "found")),
          );
          return answers.find(({ connection }) => connection !== undefined)?.connection;
        }),
      reset: (id) =>
        requests.run(async () => {
          const answers = await Promise.all(
            workers.map((each) => each.ask({ type: "reset", id }, "reset")),
          );
          return answers.some(({ found }) => found);
        }),
      async open(source) {
        // Check the filter here, because workers cannot report an invalid one.
        if (source.type === "capture" && source.filter !== undefined) compileFilter(source.filter);
        const opened = await Promise.all(workers.map(({ streams }) => streams.open(source)));
        const found = opened.filter((stream) => stream !== undefined);
        if (source.type === "next-event-log" && found.length > 0) return firstStream(found);
        if (source.type !== "capture" || found.length === 0) return found[0];
        return mergeCaptures(found, found.map((_, index) => `${settings.tun} worker ${index}`));
      },
      stopCapture: (id) =>
        requests.run(async () => {
          const answers = await Promise.all(
            workers.map((each) => each.ask({ type: "stop-capture", id }, "stopped")),
          );
          return answers.some(({ found }) => found);
        }),
      impair: (replacement) =>
        requests.run(async () => {
          const { incoming, ...outgoing } = replacement ?? {};
          checkImpairments(outgoing);
          if (incoming) checkImpairments(incoming, "incoming.");
          const [first] = await Promise.all(
            workers.map((each) => each.ask({ type: "impair", replacement }, "impaired")),
          );
          return first!.impairments;
        }),
      get state() {
        return readiness.state;
      },
      async drain() {
        void readiness.withdraw(current.settings.lameDuckMs);
        await Promise.all(workers.map((each) => each.ask({ type: "refuse" }, "refusing")));
      },
      moveTo: () => Promise.reject(new UsageError(NO_MOVES)),
      rebalance: () => Promise.reject(new UsageError(NO_MOVES)),
      setLogLevel(level) {
        for (const worker of workers) worker.tell({ type: "log", level });
      },
      async metrics() {
        const sums = new MetricSums();
        sums.add(processMetrics());
        const answers = await Promise.all(
          workers.map((each) => each.ask({ type: "measure" }, "metrics")),
        );
        for (const { metrics } of answers) sums.add(metrics);
        return sums.metrics;
      },
      stats: async () => sumCounters(await countersOf(workers, log)),
      async stop(whenDrained) {
        void readiness.withdraw(current.settings.lameDuckMs);
        await drainAndClose(workers, whenDrained);
        await endAll();
        finish();
      },
    };
  } catch (error) {
    await endAll();
    throw error;
  }
}

const NO_MOVES =
  "moves: connections of a service with several workers cannot move: start it without --workers";

/**
 * Checks that the module of a worker exists: a compiled program may lack it.
 *
 * @throws {UsageError} The file does not exist.
 */
export function requireWorkerModule(): void {
  if (WORKER_MODULE.protocol !== "file:" || existsSync(WORKER_MODULE)) return;
  throw new UsageError(
    "--workers: this program was compiled without the module that threads run: compile it as " +
      "docs/install.md says, or omit --workers",
  );
}

/** Passes each worker the descriptor of a queue. If a step fails, the descriptors are closed when the process ends. */
async function serveQueues(
  workers: readonly WorkerHandle[],
  settings: Settings,
  log: Logger,
  { identity, seed, shards }: Omit<Inheritance, "shards"> & {
    readonly shards?: Inheritance["shards"] | undefined;
  },
): Promise<Pick<Service, "place" | "published">> {
  const count = workers.length;
  const queues = shards?.map(({ queue }) => queue!) ?? await openQueues(settings, seed, log);
  const serving = await Promise.all(workers.map((worker, index) => {
    const inheritance = shards?.[index];
    const queue = queues[index]!;
    const request = { type: "serve", queue, count, seed, identity, inheritance } as const;
    return worker.ask(request, "serving");
  }));
  return {
    place: `device ${queues[0]!.name} with ${count} workers`,
    published: serving.flatMap(({ published }) => published),
  };
}

async function openQueues(
  { tun: name, hostAddresses: addresses, mtu, workers: count }: Settings,
  seed: ShardSeed,
  log: Logger,
): Promise<readonly Device[]> {
  const { queues, steered } = await openTunQueues(
    { name: name!, addresses, mtu },
    count,
    seed,
    keptQueues(name!, count),
  );
  const how = steered ? { by: "own program" } : {
    by: "the kernel's hash; other packets are forwarded",
    hint: "with CAP_BPF no packets are forwarded",
  };
  log.info("steering", { ...how, workers: count });
  return queues;
}

/**
 * Hands over all workers. All of them stop receiving before the first one hands over, because each forwards packets
 * to the others.
 */
function handoverOf(
  workers: readonly WorkerHandle[],
  identity: StackIdentity,
  seed: ShardSeed,
): Handover {
  const askAll = <Type extends WorkerEvent["type"]>(order: WorkerRequest, type: Type) =>
    Promise.all(workers.map((each) => each.ask(order, type)));
  return {
    identity,
    seed,
    share: async () => (await askAll({ type: "share" }, "shared")).map(({ shard }) => shard),
    async retire(channels) {
      await askAll({ type: "pause" }, "paused");
      await Promise.all(
        workers.map((worker, index) =>
          worker.ask({ type: "retire", channel: channels[index]! }, "retired")
        ),
      );
    },
    drop: async (listeners) => void await askAll({ type: "unpublish", listeners }, "unpublished"),
    resume: async () => void await askAll({ type: "resume" }, "resumed"),
    startMoving: async () => void await askAll({ type: "move" }, "moving"),
    isIdle: async () => (await askAll({ type: "idle" }, "idle")).every(({ isIdle }) => isIdle),
    begin: async () => void await askAll({ type: "begin" }, "begun"),
  };
}

/** The settings of one worker. Only the first worker publishes ports of the host. */
function settingsOf(settings: Settings, index: number): Settings {
  return index === 0 ? settings : { ...settings, publish: [] };
}

/**
 * Changes all workers or none. If one worker can bind a listen address, all can.
 *
 * @throws {UsageError | Error} The error of the first worker that cannot use the settings.
 */
async function changeAll(
  workers: readonly WorkerHandle[],
  next: Settings,
): Promise<{ changes: Changes; published: readonly PublishedPort[] }> {
  const prepared = await Promise.all(
    workers.map((worker, index) =>
      worker.ask({ type: "prepare", settings: settingsOf(next, index) }, "prepared")
    ),
  );
  const refused = prepared.find(({ refused }) => refused !== undefined)?.refused;
  const changed = await Promise.all(
    workers.map((worker) =>
      worker.ask({ type: "change", apply: refused === undefined }, "changed")
    ),
  );
  if (refused !== undefined) {
    throw refused.isUsage ? new UsageError(refused.message) : new Error(refused.message);
  }
  const [first, ...others] = changed.map(({ changes }) => changes!) as [Changes, ...Changes[]];
  return { changes: sumChanges([first, ...others]), published: changed[0]!.published };
}

async function countersOf(workers: readonly WorkerHandle[], log: Logger): Promise<Counters[]> {
  const answers = await Promise.all(workers.map((each) => each.ask({ type: "count" }, "counters")));
  for (const [worker, { counters }] of answers.entries()) {
    log.debug("worker stats", { worker, ...counters });
  }
  return answers.map(({ counters }) => counters);
}

/**
 * All shards keep running until each has drained, because the kernel steers segments to all of them while the device
 * exists, and each has to refuse new connections.
 */
async function drainAndClose(
  workers: readonly WorkerHandle[],
  whenDrained?: () => Promise<void>,
): Promise<void> {
  await Promise.all(workers.map((worker) => worker.ask({ type: "drain" }, "drained")));
  await whenDrained?.();
  await Promise.all(workers.map((worker) => worker.ask({ type: "close" }, "closed")));
}

function randomSeed(): ShardSeed {
  const bytes = new Uint8Array(8);
  systemRandom.fill(bytes);
  return [readI32(bytes, 0), readI32(bytes, 4)];
}
