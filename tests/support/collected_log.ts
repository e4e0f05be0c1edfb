/**
 * A logger that collects its lines.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";

/** Keeps each line as its level and message. */
export class CollectedLog {
  readonly lines: string[] = [];
  readonly logger: Logger = {
    debug: (message) => void this.lines.push(`debug ${message}`),
    info: (message) => void this.lines.push(`info ${message}`),
    warn: (message) => void this.lines.push(`warn ${message}`),
    error: (message) => void this.lines.push(`error ${message}`),
  };
}
