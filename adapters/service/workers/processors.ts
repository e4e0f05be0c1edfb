/**
 * The processors that this process may use, and whether the workers fit onto them.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { allowedProcessors } from "../../links/tun/processors.ts";
import { UsageError } from "../errors.ts";

/** Information about the machine. */
export interface ProcessorInfo {
  /** Reads a file; `undefined`: there is none, or it may not be read. On Deno only `--allow-all` includes `/proc`. */
  read(path: string): string | undefined;
  /** What the runtime says. */
  parallelism(): number;
}

/** A limit of the processors that this process uses at a time. */
interface ProcessorLimit {
  /** May be a fraction. */
  readonly processors: number;
  readonly reason: string;
}

/**
 * Refuses more workers than there are processors for them: they would only take turns, and pay for the switches between
 * them.
 *
 * @throws {UsageError} There are too few processors.
 */
export function requireProcessors(
  workers: number,
  machine: ProcessorInfo = { read: readText, parallelism: availableParallelism },
): void {
  const limits = [affinityOf(machine), ...quotasOf(machine)];
  const { processors, reason } = limits.reduce((one, other) =>
    other.processors < one.processors ? other : one
  );
  // The last worker may use the part of a processor that a quota allows.
  const count = Math.ceil(processors);
  if (workers <= count) return;
  const [noun, instead] = count === 1
    ? ["processor", "omit --workers"]
    : ["processors", `use --workers ${count}`];
  throw new UsageError(
    `--workers ${workers}: this process may use ${count} ${noun} (${reason}), and more ` +
      `workers than that are slower: ${instead}, or let it use more`,
  );
}

function affinityOf({ read, parallelism }: ProcessorInfo): ProcessorLimit {
  const processors = allowedProcessors(read("/proc/self/status") ?? "");
  if (processors.length === 0) {
    return { processors: parallelism(), reason: "as the runtime says" };
  }
  return { processors: processors.length, reason: "its affinity, or all that the machine has" };
}

/** The quotas of the control groups of this process, up to the root: `cpu.max` of version 2, and those of version 1. */
function quotasOf({ read }: ProcessorInfo): ProcessorLimit[] {
  const groups = (read("/proc/self/cgroup") ?? "").split("\n").map((line) => line.split(":"));
  return groups.flatMap(([, controllers, ...rest]) => {
    const isSecond = controllers === "";
    if (!isSecond && !controllers?.split(",").includes("cpu")) return [];
    const root = isSecond ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    return foldersUp(rest.join(":")).flatMap((folder) => {
      const text = isSecond
        ? read(`${root}${folder}/cpu.max`)
        : `${read(`${root}${folder}/cpu.cfs_quota_us`)} ${
          read(`${root}${folder}/cpu.cfs_period_us`)
        }`;
      // Without a quota it is "max", or -1.
      const [, quota, period] = /^(\d+)\s+(\d+)\s*$/.exec(text ?? "") ?? [];
      if (quota === undefined || period === undefined) return [];
      const processors = Number(quota) / Number(period);
      return [{ processors, reason: `a quota of ${Math.round(100 * processors) / 100}` }];
    });
  });
}

/** `/a/b`, `/a` and the root, which is the empty text. */
function foldersUp(folder: string): string[] {
  const names = folder.split("/").filter((name) => name !== "");
  return [...names.keys(), names.length].map((count) =>
    names.slice(0, count).map((name) => `/${name}`).join("")
  );
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
