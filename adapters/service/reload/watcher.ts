/**
 * Watches files for changes, for `--watch`.
 *
 * @module
 */
import { statSync } from "node:fs";
import { type Clock, systemClock } from "../../../core/api/environment.ts";

/** Interval of the comparisons in milliseconds. */
const INTERVAL_MS = 1000;

/** Options of {@link watchFiles}. */
export interface WatchOptions {
  readonly clock?: Clock;
  /** The version of a file; default: its inode, size and time of change. */
  readonly versionOf?: (file: string) => string;
}

/**
 * Calls `onChange` when files have changed and then stayed the same for a second, so that an editor or a deployment
 * can finish. `files` is called again each time, since what a module imports may change. The files are compared once
 * a second: watchers of the operating system report a file that is replaced in different ways, and not at all on
 * network file systems. Returns a function that stops watching.
 */
export function watchFiles(
  files: () => readonly string[],
  onChange: () => void,
  { clock = systemClock, versionOf = versionOfFile }: WatchOptions = {},
): () => void {
  const look = () => files().map((file) => `${file}\0${versionOf(file)}`).join("\0");
  let [reported, before] = [look(), ""];
  before = reported;
  let cancel = clock.schedule(clock.now() + INTERVAL_MS, function again() {
    const now = look();
    const isStill = now === before;
    before = now;
    if (isStill && now !== reported) {
      reported = now;
      onChange();
    }
    cancel = clock.schedule(clock.now() + INTERVAL_MS, again);
  });
  return () => cancel();
}

function versionOfFile(file: string): string {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats === undefined
    ? "none"
    : `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
}
