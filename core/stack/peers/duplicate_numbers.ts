/**
 * Detects that two processes use the number of one instance at the same time, by a number of each process in its
 * messages. After a restart or an upgrade the number changes once; with two processes it changes again and again.
 *
 * @module
 */
import { MAX_INSTANCES } from "./instance_mark.ts";

/** Number of different processes. */
export const PROCESSES = 2048;
/** Number of changes back to an earlier process that shows two processes: a failed upgrade causes one change back. */
const MAX_RETURNS = 3;
/** Maximum time between two of these changes, in milliseconds. */
const RETURN_MS = 5000;
/** Minimum interval between two reports of an instance, in milliseconds. */
export const DUPLICATE_MS = 60_000;

interface Sender {
  process: number;
  previous: number;
  changedAt: number;
  returns: number;
  reportedAt: number;
}

/** The processes that messages of each instance came from. */
export class DuplicateNumbers {
  readonly #senders: (Sender | undefined)[] = new Array(MAX_INSTANCES).fill(undefined);

  /**
   * An authentic message of `instance` has arrived, sent by `process`. Returns whether it is to be reported that there
   * are two.
   */
  note(instance: number, process: number, now: number): boolean {
    const sender = this.#of(instance, process, now);
    if (sender.process === process) return false;
    const isReturn = sender.previous === process && now - sender.changedAt < RETURN_MS;
    sender.returns = isReturn ? sender.returns + 1 : 0;
    sender.previous = sender.process;
    sender.process = process;
    sender.changedAt = now;
    return sender.returns >= MAX_RETURNS && this.isDue(instance, now);
  }

  /** Whether a report about an instance is due; it is counted as made. */
  isDue(instance: number, now: number): boolean {
    const sender = this.#of(instance, -1, now);
    if (now - sender.reportedAt < DUPLICATE_MS) return false;
    sender.reportedAt = now;
    return true;
  }

  #of(instance: number, process: number, now: number): Sender {
    return this.#senders[instance] ??= {
      process,
      previous: -1,
      changedAt: now,
      returns: 0,
      reportedAt: -Infinity,
    };
  }
}
