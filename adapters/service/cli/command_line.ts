/**
 * The service as a command.
 *
 * @module
 */
import { resolve } from "node:path";
import process from "node:process";
import { type Logger, systemClock, systemRandom } from "../../../core/api/environment.ts";
import manifest from "../../../deno.json" with { type: "json" };
import { adminApp, type AdminTarget } from "../admin/app.ts";
import { EventHub } from "../admin/event_hub.ts";
import { type AdminServer, listenForAdmin } from "../admin/listen.ts";
import { Sessions } from "../dashboard/sessions.ts";
import { LiveUpdates } from "../dashboard/live.ts";
import { messageLine, UsageError } from "../errors.ts";
import { modulesOf } from "../listen/plugin_loader.ts";
import { exportMetrics } from "../metrics/service_metrics.ts";
import { Reloader } from "../reload/reloader.ts";
import {
  readSavedConfig,
  type SavedConfig,
  stageConfig,
  type StagedConfig,
} from "../reload/state_folder.ts";
import { Trial } from "../reload/trial.ts";
import { watchFiles } from "../reload/watcher.ts";
import { checkService, type Service, startService } from "../service.ts";
import { parseConfig, readConfigText } from "../settings/config.ts";
import { mergeSettings } from "../settings/merge.ts";
import type { Settings } from "../settings/settings.ts";
import { EarlierProcesses } from "../upgrade/earlier_processes.ts";
import { withoutUpgrade } from "../upgrade/new_process.ts";
import { Predecessor } from "../upgrade/predecessor.ts";
import { Upgrader } from "../upgrade/upgrader.ts";
import { requireWorkerModule, startWorkers } from "../workers/supervisor.ts";
import { announce } from "./announce.ts";
import { type Arguments, parseArguments } from "./arguments.ts";
import { nativeSockets } from "../../host/native/sockets.ts";
import { checkHost } from "./check_host.ts";
import { completionFor } from "./completion.ts";
import { runDashboard } from "./dashboard.ts";
import { devArguments } from "./dev.ts";
import { helpText } from "./help.ts";
import { runInit } from "./init.ts";
import { ServiceLog } from "../log/service_log.ts";
import {
  createLogger,
  type LevelLogger,
  type LogLevel,
  moreVerbose,
  writeToStderr,
} from "../log/logger.ts";
import {
  isNotCapable,
  permissionsFor,
  permissionsForFile,
  requirePermissions,
} from "./permissions.ts";
import { COMMANDS, runRemote } from "./remote.ts";
import { type ServiceManager, serviceManager } from "./service_manager.ts";
import { storedDescriptors, storedNameOf } from "./stored_descriptors.ts";
import {
  handleStraySignals,
  onReopenSignal,
  onStatsSignal,
  waitForShutdownSignal,
} from "./signals.ts";
import { runTool, TOOLS } from "./tools/tools.ts";
import { logUncaughtErrors } from "./stray_errors.ts";

/** Runs the command line of this process and exits with its exit code. */
export async function main(): Promise<never> {
  handleStraySignals();
  process.exit(await runCommand(process.argv.slice(2)));
}

/**
 * Runs a command line; resolves with the exit code: 0 for success, 2 for a command line or a
 * configuration that cannot be used, 1 for everything else that failed.
 */
async function runCommand(args: readonly string[]): Promise<number> {
  try {
    const [command = "", ...rest] = args;
    if (Object.hasOwn(COMMANDS, command)) return print(await runRemote(command, rest));
    if (Object.hasOwn(TOOLS, command)) return await runTool(command, rest);
    if (command === "dashboard") return await runDashboard(rest, print);
    if (command === "init") return print(runInit(rest));
    if (command === "dev") return await serve(parseArguments(devArguments(rest)), undefined);
    if (command === "completion") return print(completionFor(rest[0]));
    const { from, args: own } = withoutUpgrade(args);
    const given = parseArguments(own);
    if (given.help) return print(helpText());
    if (given.version) return print(`berth ${manifest.version}`);
    return given.checkConfig
      ? await check(readConfiguration(given).settings, given.state)
      : await serve(given, from);
  } catch (error) {
    for (const line of linesOf(error)) writeToStderr(`berth: ${line}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function print(text: string): 0 {
  console.log(text);
  return 0;
}

/** A configuration file has a line for each fault, any other error one line. */
function linesOf(error: unknown): string[] {
  return error instanceof UsageError ? error.message.split("\n") : [messageLine(error)];
}

/** Settings, and the file that they were read from. */
interface Configuration {
  readonly settings: Settings;
  readonly file: SavedConfig | undefined;
}

/** @throws {UsageError} */
function readConfiguration(given: Arguments): Configuration {
  const { config } = given;
  if (config === undefined) return configurationFrom(undefined, given);
  requirePermissions(permissionsForFile(config));
  return configurationFrom({ path: resolve(config), text: readConfigText(config) }, given);
}

/** @throws {UsageError} */
function configurationFrom(
  file: SavedConfig | undefined,
  { config, settings: flags }: Arguments,
  name = config ?? file?.path,
): Configuration {
  const values = file === undefined ? {} : parseConfig(file.text, file.path, undefined, name);
  const settings = mergeSettings(flags, values);
  requirePermissions(permissionsFor(settings));
  return { settings, file };
}

async function check(settings: Settings, state: string | undefined): Promise<0> {
  if (settings.workers > 1) requireWorkerModule();
  const { logLevel: level, logFormat: format } = settings;
  const log = createLogger({ level, format, write: writeToStderr });
  try {
    await checkService(settings, log);
    await checkHost(settings, state, log);
  } finally {
    log.flush();
  }
  return print("the configuration is valid");
}

/** Runs the service. `from` is the socket of the process that this one has to replace. */
async function serve(given: Arguments, from: string | undefined): Promise<0> {
  const output = new ServiceLog();
  let predecessor: Predecessor | undefined;
  try {
    if (from !== undefined) predecessor = await Predecessor.connect(from, output.logger);
    return await serveAfter(predecessor, given, output);
  } catch (error) {
    predecessor?.reportFailure(error);
    throw error;
  } finally {
    await output.finish();
  }
}

async function serveAfter(
  predecessor: Predecessor | undefined,
  given: Arguments,
  output: ServiceLog,
): Promise<0> {
  const log = output.logger;
  const reopen = () => {
    const isFile = output.reopen();
    if (isFile) log.info("the log file was reopened");
    return isFile;
  };
  onReopenSignal(log, reopen);
  const events = new EventHub(() => tellWorkers());
  const { service, file } = await start(given, output, events.wrap(log), predecessor);
  // Followers of the events get lines of level info and above, whatever the level of the log.
  const tellWorkers = () =>
    service.setLogLevel(events.isFollowed ? moreVerbose(log.level, "info") : log.level);
  const setLevel = (level: LogLevel) => {
    log.level = level;
    tellWorkers();
  };
  let read = file;
  const manager = serviceManager(log, predecessor?.pid);
  const requireServing = () => {
    if (upgrader.state === "serving") return;
    throw new UsageError(
      upgrader.state === "retired"
        ? "a newer process is serving: send the request to it, at the same address"
        : "an upgrade is in progress: try again when it has ended",
    );
  };
  const trial = new Trial(service.settings);
  trial.warnIfImpossible(service.settings, log);
  const reloader = new Reloader(service, {
    check: (settings) => trial.load(settings),
    stage: () => stage(given, read),
    onStart: () => manager.reloading(),
    onEnd: () => manager.ready("serving"),
    log: events.wrap(log),
    read() {
      requireServing();
      const next = readConfiguration(given);
      read = next.file;
      return next.settings;
    },
    onChange(settings) {
      trial.use(settings);
      output.configure(settings);
      tellWorkers();
    },
  });
  const reload = (reason: string) => void reloader.reload(reason).catch(() => {});
  const useText = (text: string) =>
    reloader.use(() => {
      requireServing();
      const path = file?.path ?? resolve("berth.json");
      const next = configurationFrom({ path, text }, given, "PUT /config");
      read = next.file;
      return next.settings;
    }, "PUT /config");
  const sessions = new Sessions(systemClock, systemRandom);
  const earlier = predecessor?.earlier ?? new EarlierProcesses(log);
  const upgrader = new Upgrader({
    service,
    earlier,
    log: events.wrap(log),
    metrics: async () => [...await service.metrics(), ...output.metrics, ...earlier.metrics.ended],
    sessions: () => {
      const { token } = service.settings.admin ?? {};
      return token === undefined ? undefined : sessions.handOver(token);
    },
    isReloading: () => reloader.isReloading,
    onRetired(pid) {
      manager.handOver(pid);
      stopWatching();
      events.close();
      target.live.close();
      admin?.leave();
    },
    async onResumed() {
      manager.handOver(process.pid);
      manager.ready("serving");
      stopWatching = startWatching();
      admin = await serveAdmin(service.settings.admin, target, log, true);
      admin?.takeOver();
    },
  });
  const target: AdminTarget & { readonly service: Service } = {
    service,
    isReloading: () => reloader.isReloading,
    upgradeState: () => upgrader.state,
    upgrade: (limitMs) => upgrader.upgrade(limitMs),
    reload: () => reloader.reload("POST /reload"),
    use: useText,
    metrics: exportMetrics(service, () => [...output.metrics, ...earlier.metrics.all]),
    reopen,
    log: {
      get level() {
        return log.level;
      },
      set level(level) {
        setLevel(level);
      },
    },
    events,
    live: new LiveUpdates(systemClock),
    sessions,
  };
  // A page may reach this process as soon as it listens.
  if (predecessor !== undefined) takeOverSessions(predecessor, service, sessions);
  let admin = await serveAdmin(
    service.settings.admin,
    target,
    log,
    predecessor !== undefined,
  );
  // Handle signals before taking over: a signal without a handler would kill this process, and the predecessor would
  // serve again.
  const asked = waitForShutdownSignal(() => reload("SIGHUP"));
  if (predecessor !== undefined) await takeOver(predecessor, service, admin, sessions);
  save(given, file, log);
  onStatsSignal(async () => {
    const stats = await service.stats();
    // The sender of the signal expects a line, even if nothing has changed since the last one.
    log.flush();
    log.info("stats", stats);
  });
  const startWatching = () =>
    given.watch ? watch(given, service, () => reload("a file has changed")) : () => {};
  let stopWatching = startWatching();
  if (predecessor === undefined) await storeDevice(service, manager);
  const announcement = announce({ ...service.settings, addresses: service.addresses }, service);
  // Write the lines that the start has logged before the announcement.
  await output.finish();
  // stdout has the capture, so the announcement goes to stderr.
  if (service.settings.capture?.file === "-") writeToStderr(announcement);
  else print(announcement);
  manager.ready("serving");
  const signal = await Promise.race([asked, service.finished, upgrader.ended]);
  if (upgrader.state === "retired") {
    log.info("a process from before an upgrade is stopping", { ...signal && { signal } });
    await service.stop();
  } else {
    manager.stopping();
    stopWatching();
    earlier.stop();
    const { graceMs } = service.settings;
    const stopped = service.stop(() => earlier.ended(graceMs + EARLIER_LIMIT_MS));
    log.info("stopping; a second signal ends at once", { ...signal && { signal } });
    await stopped;
  }
  await admin?.close();
  manager.close();
  return 0;
}

/** Has the service manager keep the device, so that SYNs wait in it while the service restarts. */
async function storeDevice(service: Service, manager: ServiceManager): Promise<void> {
  const { tun } = service.settings;
  for (const [name, descriptors] of storedDescriptors()) {
    if (tun !== undefined && name === storedNameOf(tun)) continue;
    // Forget the device of another configuration; the kernel removes it with its last descriptor.
    manager.forget(name);
    for (const each of descriptors) nativeSockets()?.host.libc.close(each);
  }
  if (tun === undefined) return;
  const queues = (await service.handover.share()).map(({ queue }) => queue);
  const [first] = queues;
  if (first === undefined) return;
  manager.store(storedNameOf(tun), queues.map((queue) => queue!.fd));
}

/** How long earlier processes may take to end after their grace time, in milliseconds. */
const EARLIER_LIMIT_MS = 2000;

/** Replaces the predecessor once everything is prepared, even if the predecessor has ended in the meantime. */
async function takeOver(
  predecessor: Predecessor,
  service: Service,
  admin: AdminServer | undefined,
  sessions: Sessions,
): Promise<void> {
  const begun = await predecessor.takeOver();
  takeOverSessions(predecessor, service, sessions);
  if (begun === "ended") await service.handover.resume();
  else await service.handover.begin();
  admin?.takeOver();
  const shards = await service.handover.share();
  await predecessor.serving(shards.flatMap(({ listeners }) => listeners.map(([name]) => name)));
}

/** Takes over the dashboard's sessions, so that its pages stay signed in. */
function takeOverSessions(
  { sessions: handed }: Predecessor,
  { settings: { admin } }: Service,
  sessions: Sessions,
): void {
  if (handed !== undefined && admin?.token !== undefined) sessions.takeOver(handed, admin.token);
}

/** Serves the admin API; ends the service if the address is not available. */
async function serveAdmin(
  admin: Settings["admin"],
  target: AdminTarget & { readonly service: Service },
  log: Logger,
  replaces: boolean,
): Promise<AdminServer | undefined> {
  if (admin === undefined) return undefined;
  const { listen, token, hosts = [] } = admin;
  const names = "path" in listen ? hosts : [listen.hostname.toLowerCase(), ...hosts];
  try {
    const server = await listenForAdmin(listen, adminApp(target, { token, hosts: names }).fetch, {
      replaces,
      log,
    });
    return {
      ...server,
      close() {
        target.events.close();
        target.live.close();
        return server.close();
      },
    };
  } catch (error) {
    await target.service.stop();
    throw error;
  }
}

/**
 * Starts the service. If the configuration cannot be used, `--state` was given and no other process serves,
 * starts it with the last configuration that worked.
 */
async function start(
  given: Arguments,
  output: ServiceLog,
  serviceLog: Logger,
  predecessor: Predecessor | undefined,
): Promise<{ service: Service; file: SavedConfig | undefined }> {
  const log = output.logger;
  const guarded = guardStart(log);
  const startWith = async ({ settings, file }: Configuration) => {
    output.configure(settings);
    predecessor?.requireCompatible(settings);
    const start = settings.workers > 1 ? startWorkers : startService;
    const { inheritance } = predecessor ?? {};
    return { service: await guarded(() => start(settings, serviceLog, { inheritance })), file };
  };
  try {
    return await startWith(readConfiguration(given));
  } catch (error) {
    if (!(error instanceof UsageError) || given.state === undefined) throw error;
    if (predecessor !== undefined) throw error;
    const saved = readSavedConfig(given.state);
    if (typeof saved === "string") throw error;
    for (const fault of linesOf(error)) {
      log.error("the last configuration that worked is used instead", { fault });
    }
    return await startWith(configurationFrom(saved, { ...given, config: undefined }));
  }
}

/**
 * Logs uncaught errors from now on. During a call of the returned function, an uncaught permission
 * error of Deno rejects the call: Deno throws some of these where they cannot be caught, such as in
 * `server.listen()`.
 */
function guardStart(log: LevelLogger): <T>(start: () => Promise<T>) => Promise<T> {
  let deny: ((error: Error) => void) | undefined;
  logUncaughtErrors(log, (error) => {
    if (deny === undefined || !isNotCapable(error)) return false;
    deny(error);
    return true;
  });
  return async (start) => {
    const denied = Promise.withResolvers<never>();
    denied.promise.catch(() => {});
    deny = denied.reject;
    try {
      return await Promise.race([start(), denied.promise]);
    } finally {
      deny = undefined;
    }
  };
}

/**
 * Writes a configuration that the next start may need. Without `--state` it does nothing.
 *
 * @throws {Error} The folder cannot be written; the caller shows the message to the person who has asked for a
 * reload.
 */
function stage({ state }: Arguments, file: SavedConfig | undefined): StagedConfig | undefined {
  if (state === undefined || file === undefined) return undefined;
  try {
    return stageConfig(state, file);
  } catch (error) {
    throw new Error(
      `--state ${state}: cannot keep the configuration: ${
        messageLine(error)
      }: make room, then reload again`,
    );
  }
}

/**
 * Keeps the configuration of the start. If it cannot be written, for example to a full disk, that is logged and the
 * service continues.
 */
function save(given: Arguments, file: SavedConfig | undefined, log: LevelLogger): void {
  try {
    stage(given, file)?.commit();
  } catch (error) {
    log.error("the configuration is not kept for the next start", { reason: messageLine(error) });
  }
}

function watch({ config }: Arguments, service: Service, reload: () => void): () => void {
  const files = () => [
    ...config === undefined ? [] : [config],
    ...new Set(
      service.settings.listen.flatMap((each) => [...each.before ?? [], each]).flatMap(modulesOf),
    ),
  ];
  return watchFiles(files, reload);
}
