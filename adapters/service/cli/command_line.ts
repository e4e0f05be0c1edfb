/**
 * The service as a command.
 *
 * @module
 */
import process from "node:process";
import manifest from "../../../deno.json" with { type: "json" };
import { messageOf, UsageError } from "../errors.ts";
import { checkService, startService } from "../service.ts";
import { readConfig } from "../settings/config.ts";
import { mergeSettings } from "../settings/merge.ts";
import type { Settings } from "../settings/settings.ts";
import { requireWorkerModule, startWorkers } from "../workers/supervisor.ts";
import { announce } from "./announce.ts";
import { type Arguments, parseArguments } from "./arguments.ts";
import { helpText } from "./help.ts";
import { createLogger, writeToStderr } from "./logger.ts";
import {
  isNotCapable,
  permissionsFor,
  permissionsForFile,
  requirePermissions,
} from "./permissions.ts";
import {
  logStraySignals,
  onStatsSignal,
  takeStraySignals,
  waitForShutdownSignal,
} from "./signals.ts";
import { logUncaughtErrors } from "./stray_errors.ts";

/** Runs the command line of this process and exits with its exit code. */
export async function main(): Promise<never> {
  takeStraySignals();
  process.exit(await runCommand(process.argv.slice(2)));
}

/**
 * Runs a command line; resolves with the exit code: 0 for success, 2 for a command line or a
 * configuration that cannot be used, 1 for everything else that failed.
 */
async function runCommand(args: readonly string[]): Promise<number> {
  try {
    const given = parseArguments(args);
    if (given.help) return print(helpText());
    if (given.version) return print(`berth ${manifest.version}`);
    const settings = readSettings(given);
    return given.checkConfig ? await check(settings) : await serve(settings);
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
  return error instanceof UsageError ? error.message.split("\n") : [messageOf(error)];
}

function readSettings({ config, settings }: Arguments): Settings {
  if (config !== undefined) requirePermissions(permissionsForFile(config));
  return mergeSettings(settings, config === undefined ? {} : readConfig(config));
}

async function check(settings: Settings): Promise<0> {
  requirePermissions(permissionsFor(settings));
  if (settings.workers > 1) requireWorkerModule();
  await checkService(settings, createLogger({ level: settings.logLevel, write: writeToStderr }));
  return print("the configuration is valid");
}

async function serve(settings: Settings): Promise<0> {
  const log = createLogger({ level: settings.logLevel, write: writeToStderr });
  logStraySignals(log);
  requirePermissions(permissionsFor(settings));
  // Deno throws some of these where they cannot be caught, such as in `server.listen()`.
  const denied = Promise.withResolvers<never>();
  denied.promise.catch(() => {});
  logUncaughtErrors(log, (error) => {
    if (!isStarting || !isNotCapable(error)) return false;
    denied.reject(error);
    return true;
  });
  let isStarting = true;
  const start = settings.workers > 1 ? startWorkers : startService;
  const service = await Promise.race([start(settings, log), denied.promise]);
  isStarting = false;
  const asked = waitForShutdownSignal();
  onStatsSignal(async () => log.info("stats", await service.stats()));
  const announcement = announce({ ...settings, addresses: service.addresses }, service);
  // stdout carries packets.
  if (settings.capture?.file === "-") writeToStderr(announcement);
  else print(announcement);
  const signal = await Promise.race([asked, service.finished]);
  const stopped = service.stop();
  log.info("stopping; a second signal ends at once", { ...signal && { signal } });
  await stopped;
  return 0;
}
