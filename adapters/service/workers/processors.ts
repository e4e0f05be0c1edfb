/**
 * Checks that this process may use as many processors as there are workers.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { allowedProcessors } from "../../links/tun/processors.ts";
import { UsageError } from "../errors.ts";
import type { Settings } from "../settings/settings.ts";

/** Information about the machine. */
export interface ProcessorInfo {
  /** Reads a file; `undefined` if there is none, or it may not be read. On Deno, only `--allow-all` permits `/proc`. */
  read(path: string): string | undefined;
  /** The number of processors according to the runtime. */
  parallelism(): number;
}

/** A limit on the number of processors that this process may use at the same time. */
interface ProcessorLimit {
  /** The number, which may be a fraction. */
  readonly processors: number;
  readonly reason: string;
}

/**
 * Refuses several workers unless each has a whole processor, and one more is left to the kernel and the clients: with
 * fewer, workers take turns with each other or with the senders of their packets, at the cost of context switches.
 * `allProcessors` allows as many workers as processors.
 *
 * @throws {UsageError} There are too few processors.
 */
export function requireProcessors(
  { workers, allProcessors }: Pick<Settings, "workers" | "allProcessors">,
  machine: ProcessorInfo = { read: readText, parallelism: availableParallelism },
): void {
  if (workers === 1) return;
  const limits = [affinityOf(machine), ...quotasOf(machine)];
  const { processors, reason } = limits.reduce((one, other) =>
    other.processors < one.processors ? other : one
  );
  // With `allProcessors`, the last worker may use the fraction of a processor that a quota allows.
  const most = Math.ceil(processors);
  const allowed = allProcessors ? most : Math.floor(processors) - 1;
  if (workers <= allowed) return;
  const why = allProcessors
    ? "more workers than that are slower"
    : `${workers} workers need ${
      workers + 1
    }, one each and one for the kernel and the clients, or short ` +
      "requests are slower than with one worker";
  const instead = [
    allowed <= 1 ? "omit --workers" : `use --workers ${allowed}`,
    "let it use more",
    ...!allProcessors && workers <= most
      ? ["set --all-processors on if you have measured that your load gains"]
      : [],
  ];
  throw new UsageError(
    `--workers ${workers}: this process may use ${Math.round(100 * processors) / 100} ${
      processors === 1 ? "processor" : "processors"
    } (${reason}), and ${why}: ${inWords(instead)}`,
  );
}

function inWords(choices: readonly string[]): string {
  return `${choices.slice(0, -1).join(", ")}, or ${choices.at(-1)}`;
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
      // Without a quota the value is "max", or -1.
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
