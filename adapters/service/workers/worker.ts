/**
 * The module that a worker runs: one shard of the service.
 *
 * @module
 */
import { parentPort, workerData } from "node:worker_threads";
import { type Logger, sleepUntil } from "../../../core/api/environment.ts";
import { divideSockets } from "../../host/socket_limits.ts";
import { takeOverQueue } from "../../links/tun/queues.ts";
import { logUncaughtErrors } from "../cli/stray_errors.ts";
import { messageLine, UsageError } from "../errors.ts";
import { networkOn } from "../links/network.ts";
import { type LoadedPlugins, loadPlugins } from "../listen/plugins.ts";
import { openPeers } from "../peers/open_peers.ts";
import type { PublishedPort } from "../publish/publish.ts";
import { type PreparedChanges, Serving } from "../serving.ts";
import type { Settings } from "../settings/settings.ts";
import { environmentOf } from "../upgrade/identity.ts";
import { shareDevice } from "../upgrade/share_device.ts";
import type { Refused, WorkerData, WorkerEvent, WorkerRequest } from "./messages.ts";
import { ServedStreams } from "./streams.ts";
import { haveJoined } from "./mailboxes.ts";
import { ShardLink } from "./shard_link.ts";
import { workerLogger } from "./worker_log.ts";

/** Interval at which a worker checks whether the other instances list this one, in milliseconds. */
const JOIN_POLL_MS = 50;

const data: WorkerData = workerData;
const { settings } = data;
const log = workerLogger(
  data.logLevel,
  data.waitingLines,
  (line) => report({ type: "line", line }),
);
let plugins: LoadedPlugins = [];
let serving: Serving | undefined;
let prepared: PreparedChanges | undefined;
let close = () => {};
const streams = new ServedStreams((source) => serving?.open(source), report);

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
    case "prepare":
      return prepare(order.settings);
    case "change":
      return change(order.apply);
    case "list":
      return report({ type: "connections", connections: serving!.connections() });
    case "select":
      return serving!.select(order.selection).then((page) => report({ type: "selected", page }));
    case "find":
      return report({ type: "found", connection: serving!.connection(order.id) });
    case "reset":
      return report({ type: "reset", found: serving!.reset(order.id) });
    case "open":
    case "pull":
    case "cancel":
      return void streams.handle(order).catch(fail);
    case "stop-capture":
      return report({ type: "stopped", found: serving!.stopCapture(order.id) });
    case "impair":
      return report({ type: "impaired", impairments: serving!.impair(order.replacement) });
    case "share":
      return report({ type: "shared", shard: serving!.share() });
    case "pause":
      serving!.pause();
      return report({ type: "paused" });
    case "retire":
      serving!.retire(order.channel);
      return report({ type: "retired" });
    case "unpublish":
      serving!.drop(order.listeners);
      return report({ type: "unpublished" });
    case "resume":
      serving!.resume();
      return report({ type: "resumed" });
    case "move":
      serving!.startMoving();
      return report({ type: "moving" });
    case "begin":
      serving!.begin();
      return report({ type: "begun" });
    case "idle":
      return report({ type: "idle", isIdle: serving!.isIdle });
    case "refuse":
      serving!.drain();
      return report({ type: "refusing" });
    case "measure":
      return report({ type: "metrics", metrics: serving!.metrics() });
    case "count":
      return report({ type: "counters", counters: counters() });
    case "log":
      log.level = order.level;
      return;
    case "drain":
      return drain();
    case "close":
      return close();
  }
}

async function serveQueue(
  { queue, count, seed, identity, inheritance }: WorkerRequest & { type: "serve" },
  log: Logger,
): Promise<void> {
  divideSockets(count);
  const shard = { index: data.index, count, seed };
  const device = takeOverQueue(queue);
  const shared = shareDevice(device, identity, inheritance);
  const link = new ShardLink(shared ?? device, shard, data.ends);
  const { peers: setting } = settings;
  const { clock } = environmentOf(identity);
  const peers = setting && await openPeers(setting, log, {
    clock,
    descriptor: inheritance?.peers,
    relayed: data.index === 0 ? undefined : link.mailboxes,
    joined: (own) => {
      if (own) Atomics.store(new Int32Array(data.ends.joined), data.index, 1);
      return haveJoined(data.ends);
    },
  });
  const network = networkOn(link, settings, log, { identity, shared, peers });
  serving = await Serving.start(plugins, network, settings, log, inheritance);
  serving.finished.catch(fail);
  report({ type: "serving", published: published() });
  // `hasJoined()` also sets the flag of this thread, for which the other threads wait.
  while (peers?.hasJoined() === false) await sleepUntil(clock, clock.now() + JOIN_POLL_MS);
}

/** The open ports, as a message can carry them. */
function published(): PublishedPort[] {
  return serving!.published.map(({ address, to, transport }) => ({ address, to, transport }));
}

/** Prepares a configuration. One that cannot be used is not a failure of the worker. */
async function prepare(next: Settings): Promise<void> {
  try {
    prepared = await serving!.prepare(next);
    report({ type: "prepared" });
  } catch (error) {
    report({ type: "prepared", refused: refused(error) });
  }
}

async function change(apply: boolean): Promise<void> {
  const changes = apply ? await prepared?.apply() : undefined;
  if (!apply) await prepared?.discard();
  prepared = undefined;
  report({ type: "changed", changes, published: published() });
}

/** Refuses connections until all shards have drained and the device can be closed. */
async function drain(): Promise<void> {
  const stopped = serving?.stop(() => {
    report({ type: "drained" });
    return new Promise((resolve) => close = resolve);
  });
  log.debug("refusing new connections", { worker: data.index });
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
  report({ type: "failed", ...refused(error) });
}

function refused(error: unknown): Refused {
  const isUsage = error instanceof UsageError;
  return { message: isUsage ? error.message : messageLine(error), isUsage };
}

function report(message: WorkerEvent): void {
  parentPort!.postMessage(message);
}
