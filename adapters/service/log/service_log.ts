/**
 * The log of the service: to stderr or a file, as the settings say.
 *
 * @module
 */
import process from "node:process";
import { type Metric, type MetricDefinition, metricOf } from "../../../core/api/metrics/metric.ts";
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
  description: "Lines that could not be written to a log file, such as on a full disk.",
};

/** All metrics of the log. */
export const LOG_METRICS: readonly MetricDefinition[] = [LINES, LOST];

/** The settings of the log. */
export type LogSettings = Pick<Settings, "logLevel" | "logFormat" | "logFile">;

/** The log, before and after the settings are known. */
export class ServiceLog {
  /** Writes the lines. */
  readonly logger: ServiceLogger;
  readonly #lines = new Map<LogLevel, number>(LOG_LEVELS.slice(0, -1).map((level) => [level, 0]));
  #file: LogFile | undefined;

  /** Writes to stderr until {@link configure} is called. */
  constructor() {
    this.logger = createLogger({
      level: "info",
      write: (line, level) => {
        this.#lines.set(level, (this.#lines.get(level) ?? 0) + 1);
        if (this.#file === undefined) writeToStderr(line);
        else this.#file.write(line);
      },
    });
  }

  /**
   * Applies settings. A file stays open until the process ends.
   *
   * @throws {Error} The file cannot be opened.
   */
  configure({ logLevel, logFormat, logFile }: LogSettings): void {
    this.logger.level = logLevel;
    this.logger.format = logFormat;
    if (logFile === undefined || this.#file !== undefined) return;
    this.#file = this.#open(logFile);
    process.on("exit", () => {
      this.logger.flush();
      this.#file?.flushNow();
    });
  }

  #open(options: LogFileOptions): LogFile {
    const { file } = options;
    try {
      return new LogFile(options, {
        failed(reason) {
          writeToStderr(`berth: --log-file ${file}: ${reason}`);
        },
        recovered: (lost) => this.logger.warn("log lines were lost", { file, lines: lost }),
      });
    } catch (error) {
      throw new Error(`--log-file ${file}: ${messageLine(error)}`);
    }
  }

  /** Opens the file again by its name; false if the log goes to stderr. */
  reopen(): boolean {
    this.logger.flush();
    this.#file?.reopen();
    return this.#file !== undefined;
  }

  /** What has been counted. */
  get metrics(): Metric[] {
    return [
      metricOf(LINES, [...this.#lines].map(([level, count]) => [{ level }, count])),
      metricOf(LOST, [[{}, this.#file?.lost ?? 0]]),
    ];
  }

  /** Resolves when the last line has been written. */
  async finish(): Promise<void> {
    this.logger.flush();
    await this.#file?.finish();
  }
}
