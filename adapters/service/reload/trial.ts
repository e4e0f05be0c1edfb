/**
 * Loads new code of plugins in a thread of its own before the service loads it: code that never returns would block the
 * service for ever, and code that ends its process would end the service.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Logger, silentLogger, systemClock } from "../../../core/api/environment.ts";
import { withTimeout } from "../../../plugins/shared/with_timeout.ts";
import { requirePermissions } from "../cli/permissions.ts";
import { UsageError } from "../errors.ts";
import { digestOf } from "../listen/module_graph.ts";
import { LOADING_MS, modulesOf } from "../listen/plugin_loader.ts";
import type { ListenSetting } from "../settings/listen_setting.ts";
import type { Settings } from "../settings/settings.ts";
import { connectMailboxes } from "../workers/mailboxes.ts";
import { waitingLines } from "../workers/worker_log.ts";
import { WORKER_MODULE, WorkerHandle } from "../workers/worker_handle.ts";

/** Versions of the listen addresses with plugins from modules; see {@link versionOf}. */
type Versions = ReadonlyMap<ListenSetting, string>;

/** Loads new code, and remembers the code and the options of the plugins in use. */
export class Trial {
  readonly #limitMs: number;
  #known: ReadonlySet<string>;
  /** The settings that were loaded last, with the versions of their code at that time. */
  #tried: { readonly settings: Settings; readonly versions: Versions } | undefined;

  /**
   * `settings` are the settings in use, whose plugins are loaded already. `limitMs` is the time limit for loading all
   * new code.
   */
  constructor(settings: Settings, limitMs: number = LOADING_MS) {
    this.#known = new Set(versionsOf(settings).values());
    this.#limitMs = limitMs;
  }

  /**
   * Loads the plugins from modules whose code or options are not in use, and ends the thread.
   *
   * @throws {UsageError} A plugin cannot be loaded, or not within the time limit.
   */
  async load(settings: Settings): Promise<void> {
    const versions = versionsOf(settings);
    this.#tried = { settings, versions };
    const listen = settings.listen.filter((each) => {
      const version = versions.get(each);
      return version !== undefined && !this.#known.has(version);
    });
    if (listen.length > 0 && obstacle() === undefined) {
      await this.#loadInThread({ ...settings, listen });
    }
  }

  /** Logs a warning if new code cannot be tried and a plugin is from a module. */
  warnIfImpossible({ listen }: Settings, log: Logger): void {
    if (listen.flatMap(pluginsOf).flatMap(modulesOf).length === 0) return;
    const reason = obstacle();
    if (reason === undefined) return;
    log.warn(
      "a reload does not try new code of plugins first: code that never returns would block the service",
      {
        reason,
      },
    );
  }

  /** Records that these settings are in use now. */
  use(settings: Settings): void {
    const { versions } = this.#tried?.settings === settings
      ? this.#tried
      : { versions: versionsOf(settings) };
    this.#known = new Set(versions.values());
    this.#tried = undefined;
  }

  async #loadInThread(settings: Settings): Promise<void> {
    const late = Promise.withResolvers<never>();
    late.promise.catch(() => {});
    const [ends] = connectMailboxes(1);
    const worker = new WorkerHandle(
      { settings, index: 0, ends: ends!, logLevel: "off", waitingLines: waitingLines() },
      silentLogger,
      () => {},
    );
    const expire = () => {
      const what = `it has not finished loading after ${this.#limitMs / 1000} seconds`;
      late.reject(faultOf(settings, what));
    };
    try {
      await withTimeout(
        systemClock,
        this.#limitMs,
        expire,
        () => Promise.race([late.promise, worker.nextEvent("loaded")]),
      );
    } catch (error) {
      throw error instanceof UsageError ? error : faultOf(settings, ENDS);
    } finally {
      await worker.end();
    }
  }
}

const ENDS = "its code, or that of another new plugin, ends the process";

/** An error with a line for each listen address, because it is not known which of them is at fault. */
function faultOf({ listen }: Settings, what: string): UsageError {
  const lines = listen.map(({ source, plugin }) => `${source}: cannot load ${plugin}: ${what}`);
  return new UsageError(lines.join("\n"));
}

function pluginsOf(setting: ListenSetting) {
  return [...setting.before ?? [], setting];
}

function versionsOf({ listen }: Settings): Versions {
  const versions = new Map<ListenSetting, string>();
  for (const each of listen) {
    const files = pluginsOf(each).flatMap(modulesOf);
    if (files.length > 0) versions.set(each, versionOf(each, files));
  }
  return versions;
}

/** A string that is equal for equal plugins with equal code; `files` are the files of the code. */
function versionOf(setting: ListenSetting, files: readonly string[]): string {
  const plugins = pluginsOf(setting);
  const settings = plugins.map(({ plugin, options = {}, folder }) => [
    plugin,
    options,
    resolve(folder),
  ]);
  return JSON.stringify([settings, digestOf(files)]);
}

/** The folder of the program, whose modules the thread imports. */
const PROGRAM_FOLDER = new URL("../../../", import.meta.url);

/**
 * Why no thread can be started; `undefined` if one can. The thread has the permissions of this process. A compiled
 * program may lack the thread's module.
 */
function obstacle(): string | undefined {
  if (WORKER_MODULE.protocol !== "file:") return undefined;
  const path = fileURLToPath(PROGRAM_FOLDER);
  try {
    requirePermissions(new Map([["read", [{ path }]]]));
  } catch {
    return `--allow-read does not include ${path}`;
  }
  return existsSync(WORKER_MODULE) ? undefined : "the program has no module for threads";
}
