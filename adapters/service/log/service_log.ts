/**
 * The log of the service, which goes to stderr or a file, according to the settings.
 *
 * @module
 */
import process from "node:process";
import { type Metric, type MetricDefinition, metricOf } from "../../../core/api/metrics/metric.ts";
import { ACCESS_MESSAGE } from "../../../plugins/shared/http/access_log.ts";
import { messageLine } from "../errors.ts";
import type { Settings } from "../settings/settings.ts";
import { LogFile, type LogFileOptions } from "./log_file.ts";
import {
  createLogger,
  LOG_LEVELS,
  type LogLevel,
  type ServiceLogger,
  writeToStderr,
} from "./logger.ts";
import { StderrQueue } from "./stderr_queue.ts";

const LINES: MetricDefinition = {
  name: "berth.log.lines",
  kind: "counter",
  unit: "{line}",
  description: "Lines of the log by level.",
};
const LOST: MetricDefinition = {
  name: "berth.log.lost",
  kind: "counter",
  unit: "{line}",
  description: "Lines that could not be written: the disk was full, or stderr was not read.",
};

/** All metrics of the log. */
export const LOG_METRICS: readonly MetricDefinition[] = [LINES, LOST];

/** The settings of the log. */
export type LogSettings = Pick<Settings, "logLevel" | "logFormat" | "logFile" | "accessLogFile">;

/** The log, which works before the settings are known. */
export class ServiceLog {
  /** Writes the lines. */
  readonly logger: ServiceLogger;
  #accessFile: LogFile | undefined;
  readonly #lines = new Map<LogLevel, number>(LOG_LEVELS.slice(0, -1).map((level) => [level, 0]));
  readonly #stderr = new StderrQueue();
  #file: LogFile | undefined;
  #flushesAtExit = false;

  /** Writes to stderr until {@link configure} is called. */
  constructor() {
    const logger = createLogger({
      level: "info",
      write: (line, level) => {
        this.#lines.set(level, (this.#lines.get(level) ?? 0) + 1);
        if (this.#file === undefined) this.#stderr.write(line);
        else this.#file.write(line);
      },
    });
    const { info } = logger;
    logger.info = (message, fields) => {
      const file = message === ACCESS_MESSAGE ? this.#accessFile : undefined;
      if (file === undefined) info(message, fields);
      else file.write(String(fields?.["line"]));
    };
    this.logger = logger;
  }

  /**
   * Applies settings. Files stay open until the process ends.
   *
   * @throws {Error} A file cannot be opened.
   */
  configure({ logLevel, logFormat, logFile, accessLogFile }: LogSettings): void {
    this.logger.level = logLevel;
    this.logger.format = logFormat;
    if (logFile !== undefined) this.#file ??= this.#open("--log-file", logFile);
    if (accessLogFile !== undefined) {
      this.#accessFile ??= this.#open("--access-log-file", accessLogFile);
    }
    if (this.#flushesAtExit) return;
    this.#flushesAtExit = true;
    process.on("exit", () => {
      this.logger.flush();
      this.#stderr.flushNow();
      for (const file of this.#files) file.flushNow();
    });
  }

  get #files(): readonly LogFile[] {
    return [this.#file, this.#accessFile].filter((file) => file !== undefined);
  }

  #open(flag: string, options: LogFileOptions): LogFile {
    const { file } = options;
    try {
      return new LogFile(options, {
        failed(reason) {
          writeToStderr(`berth: ${flag} ${file}: ${reason}`);
        },
        recovered: (lost) => this.logger.warn("log lines were lost", { file, lines: lost }),
      });
    } catch (error) {
      throw new Error(`${flag} ${file}: ${messageLine(error)}`);
    }
  }

  /** Reopens the files by their names; returns false if there are none. */
  reopen(): boolean {
    this.logger.flush();
    for (const file of this.#files) file.reopen();
    return this.#files.length > 0;
  }

  /** The metrics of the log. */
  get metrics(): Metric[] {
    return [
      metricOf(LINES, [...this.#lines].map(([level, count]) => [{ level }, count])),
      metricOf(LOST, [[{}, this.#files.reduce((sum, { lost }) => sum + lost, this.#stderr.lost)]]),
    ];
  }

  /** Resolves when the last line has been written. */
  async finish(): Promise<void> {
    this.logger.flush();
    for (const file of this.#files) await file.finish();
    await this.#stderr.finish();
  }
}
