/**
 * Reloads of a running service, one at a time.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { messageLine, UsageError } from "../errors.ts";
import type { Service } from "../service.ts";
import type { Settings } from "../settings/settings.ts";
import { changeFields, type Changes, fateOf, isUnchanged } from "./changes.ts";
import type { StagedConfig } from "./state_folder.ts";

/** Options of {@link Reloader}. */
export interface ReloaderOptions {
  /** Reads the whole configuration again. */
  readonly read: () => Settings;
  readonly log: Logger;
  /** Checks settings before the service gets them. */
  check?(settings: Settings): Promise<void>;
  /**
   * Writes the configuration for a later start before the service gets the settings. If it throws, for example
   * because the disk is full, the reload is refused.
   */
  stage?(): StagedConfig | undefined;
  /** Called when a reload begins. */
  onStart?(): void;
  /** Called after each reload that has succeeded. */
  onChange?(settings: Settings): void;
  /** Called when a reload has ended, whether it has succeeded or not. */
  onEnd?(): void;
}

/** Reads configurations, applies them to the service, and logs the result. */
export class Reloader {
  readonly #service: Pick<Service, "reload">;
  readonly #options: ReloaderOptions;
  #running: Promise<unknown> = Promise.resolve();
  #queued: Promise<Changes> | undefined;
  #count = 0;

  constructor(service: Pick<Service, "reload">, options: ReloaderOptions) {
    this.#service = service;
    this.#options = options;
  }

  /** Whether a reload is in progress. */
  get isReloading(): boolean {
    return this.#count > 0;
  }

  /**
   * Reads the configuration again. Requests during a reload wait for it and share the next one,
   * which reads the file again. `reason` is for the log.
   *
   * @throws {UsageError | Error} The configuration cannot be used; the service continues with the
   * old one.
   */
  reload(reason: string): Promise<Changes> {
    return this.#queued ??= this.#next(() => {
      this.#queued = undefined;
      return this.#options.read();
    }, reason);
  }

  /** Changes to the given settings after the reload in progress. */
  use(read: () => Settings, reason: string): Promise<Changes> {
    return this.#next(read, reason);
  }

  #next(read: () => Settings, reason: string): Promise<Changes> {
    const next = this.#running.then(() => this.#change(read, reason));
    this.#running = next.catch(() => {});
    return next;
  }

  async #change(read: () => Settings, reason: string): Promise<Changes> {
    const { log, onChange } = this.#options;
    this.#count++;
    this.#options.onStart?.();
    try {
      const settings = read();
      await this.#options.check?.(settings);
      const staged = this.#options.stage?.();
      const changes = await this.#apply(settings, staged);
      const fields = { reason, ...changeFields(changes) };
      if (isUnchanged(changes)) {
        log.info("reloaded: nothing has changed", { reason });
      } else {
        log.info("reloaded", { ...fields, oldConnections: fateOf(changes) });
      }
      onChange?.(settings);
      commit(staged, log);
      return changes;
    } catch (error) {
      const lines = error instanceof UsageError ? error.message.split("\n") : [messageLine(error)];
      for (const fault of lines) {
        log.error("cannot reload, the old configuration stays in use", { reason, fault });
      }
      throw error;
    } finally {
      this.#options.onEnd?.();
      this.#count--;
    }
  }

  async #apply(settings: Settings, staged: StagedConfig | undefined): Promise<Changes> {
    try {
      return await this.#service.reload(settings);
    } catch (error) {
      staged?.discard();
      throw error;
    }
  }
}

/** Replaces the saved configuration. A failure is only logged, because the settings are in use already. */
function commit(staged: StagedConfig | undefined, log: Logger): void {
  try {
    staged?.commit();
  } catch (error) {
    log.error("cannot keep the configuration", { reason: messageLine(error) });
  }
}
